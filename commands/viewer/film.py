"""Films: an episode that was played, frame by frame, as mp4 or GIF."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image

from commands.viewer.frames import SIZE, Caption, compose
from commands.viewer.replay import Played, Replay, Viewer
from utils.files import write_atomically
from utils.terminal import counted

FRAMES_PER_SECOND, OUTCOME_SECONDS = 4, 2
GIF_COLORS = 64


def film_of(viewer: Viewer, episode: Played) -> list[Image.Image]:
    """The frames of an episode: one before each step, and one that shows the outcome. UserError if
    it cannot be replayed."""
    replay = viewer.replay(episode, viewer.environment.pictures)
    length = len(replay.moments)
    frames = [
        compose(pictures, _caption(replay, step, viewer.action_names))
        for step, pictures in enumerate(replay.views[:length])
    ]
    title = f"{replay.outcome} after {counted(length, 'step')}, return {replay.total:.2f}"
    return [*frames, compose(replay.views[-1], Caption(f"episode {replay.seed}: {title}"))]


def _caption(replay: Replay[Any], step: int, action_names: tuple[str, ...]) -> Caption:
    moment = replay.moments[step]
    continuous = isinstance(moment.action, list)
    action = "" if continuous else action_names[moment.action]
    return Caption(
        title=": ".join(filter(None, (f"episode {replay.seed}, step {step}", moment.held, action))),
        scene=moment.scene,
        plans=[(probability, ", ".join(options)) for probability, options in moment.plans],
        actions=action_names,
        action=action,
        bars=moment.bars,
        signed=continuous,
    )


def write_film(path: Path, frames: Sequence[Image.Image]) -> None:
    """Write a GIF, or an H.264 mp4 that browsers play, depending on the suffix of `path`. The last
    frame stays for a while."""
    content = as_gif(frames) if path.suffix == ".gif" else _as_mp4(frames)
    write_atomically(path, lambda part: part.write_bytes(content))


def _as_mp4(frames: Sequence[Image.Image]) -> bytes:
    ending = [frames[-1]] * (OUTCOME_SECONDS * FRAMES_PER_SECOND - 1)
    film = np.stack([np.asarray(frame) for frame in (*frames, *ending)])
    content: bytes = iio.imwrite(
        "<bytes>",
        film,
        extension=".mp4",
        plugin="FFMPEG",
        fps=FRAMES_PER_SECOND,
        codec="libx264",
        pixelformat="yuv420p",
        macro_block_size=2,
        output_params=["-movflags", "+faststart"],
    )
    return content


def as_gif(frames: Sequence[Image.Image]) -> bytes:
    """A small animated GIF, as TensorBoard shows it. The last frame stays for a while."""
    size = SIZE[0] // 2, SIZE[1] // 2
    # This method keeps the colours of small objects: the agent is a few pixels large.
    method = Image.Quantize.MAXCOVERAGE
    small = [frame.resize(size).quantize(GIF_COLORS, method) for frame in frames]
    durations = [1000 // FRAMES_PER_SECOND] * (len(small) - 1) + [1000 * OUTCOME_SECONDS]
    content = BytesIO()
    small[0].save(
        content,
        "GIF",
        save_all=True,
        append_images=small[1:],
        duration=durations,
        loop=0,
    )
    return content.getvalue()
