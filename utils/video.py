"""Videos of an episode: pictures of the room, the scene's text, plans and action distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from utils.files import write_atomically

SIZE = (1120, 560)
SIDE, MARGIN, HEADER = 340, 16, 40
BARS_LEFT, BARS_WIDTH = 2 * SIDE + 4 * MARGIN + 66, 270
PLANS_SHOWN = 6
FRAMES_PER_SECOND = 4
BACKGROUND, INK, FAINT = (250, 250, 250), (30, 30, 30), (140, 140, 140)
COLORS = {"teacher": (230, 140, 30), "student": (50, 110, 200)}


@dataclass
class Caption:
    """What is said beside the pictures of one moment."""

    title: str
    scene: str = ""
    plans: Sequence[tuple[float, str]] = ()
    actions: Sequence[str] = ()
    action: str = ""
    bars: Mapping[str, Sequence[float]] = field(default_factory=dict)


def compose(pictures: Sequence[np.ndarray], caption: Caption) -> Image.Image:
    """One frame: the remembered room, the truth beside it, distributions as bars, text below."""
    frame = Image.new("RGB", SIZE, BACKGROUND)
    draw = ImageDraw.Draw(frame)
    large, small = ImageFont.load_default(18), ImageFont.load_default(15)
    draw.text((MARGIN, 10), caption.title, INK, large)
    for number, picture in enumerate(pictures[:2]):
        left = MARGIN + number * (SIDE + MARGIN)
        image = Image.fromarray(picture)
        image.thumbnail((SIDE, SIDE))
        frame.paste(image, (left, HEADER))
        heading = "as the agent remembers it" if number == 0 else "as it is"
        draw.text((left, HEADER + SIDE + 4), heading, FAINT, small)
    _draw_bars(draw, caption, small)
    top = HEADER + SIDE + 30
    draw.text((MARGIN, top), caption.scene, INK, large)
    for row, (p, plan) in enumerate(sorted(caption.plans, reverse=True)[:PLANS_SHOWN]):
        draw.text((MARGIN, top + 26 + 18 * row), f"{p:5.0%}   {plan}", INK, small)
    return frame


def _draw_bars(draw: ImageDraw.ImageDraw, caption: Caption, font: Any) -> None:
    row_height = SIDE // max(len(caption.actions), 1)
    for row, name in enumerate(caption.actions):
        top = HEADER + row * row_height
        mark = INK if name == caption.action else FAINT
        draw.text((BARS_LEFT - 78, top + 8), name, mark, font)
        for number, (who, shares) in enumerate(caption.bars.items()):
            y = top + 4 + 17 * number
            draw.rectangle(
                (BARS_LEFT, y, BARS_LEFT + BARS_WIDTH * shares[row], y + 13), COLORS[who]
            )
            draw.text((BARS_LEFT + BARS_WIDTH + 6, y - 3), f"{shares[row]:.2f}", FAINT, font)
    for number, who in enumerate(caption.bars):
        draw.text((BARS_LEFT + 90 * number, HEADER + SIDE + 4), who, COLORS[who], font)


def write_mp4(path: Path, frames: Sequence[Image.Image]) -> None:
    """An H.264 film that browsers play."""
    film = np.stack([np.asarray(frame) for frame in frames])
    content = iio.imwrite(
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
    write_atomically(path, lambda part: part.write_bytes(content))


def as_gif(frames: Sequence[Image.Image], scale: float = 0.5) -> bytes:
    """A small animated GIF, as an image summary takes it."""
    size = int(SIZE[0] * scale), int(SIZE[1] * scale)
    small = [frame.resize(size).quantize(32) for frame in frames]
    content = BytesIO()
    small[0].save(
        content,
        "GIF",
        save_all=True,
        append_images=small[1:],
        duration=1000 // FRAMES_PER_SECOND,
        loop=0,
    )
    return content.getvalue()
