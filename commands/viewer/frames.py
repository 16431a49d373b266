"""Videos of an episode: pictures of the room, the scene's text, plans and action distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from utils.files import write_atomically

SIZE = (1120, 560)
SIDE, OUTCOME_SIDE, MARGIN, HEADER = 350, 480, 16, 40
BARS_LEFT, BARS_WIDTH, BAR, NAMES_WIDTH = 2 * SIDE + 3 * MARGIN + 90, 230, 14, 82
PLANS_SHOWN, PERCENT_WIDTH = 6, 40
FRAMES_PER_SECOND, OUTCOME_SECONDS = 4, 2
GIF_COLORS = 64
BACKGROUND, INK, FAINT = (250, 250, 250), (30, 30, 30), (140, 140, 140)
COLORS = {"teacher": (230, 140, 30), "student": (50, 110, 200)}

Pictures = Mapping[str, np.ndarray]
"""Up to two pictures of a moment, (height, width, 3) uint8 each, under what they show."""


@dataclass
class Caption:
    """What is said beside the pictures of one moment: the bars say of each of the `actions` how
    likely it is, or, if they are `signed`, its value from -1 to 1."""

    title: str
    scene: str = ""
    plans: Sequence[tuple[float, str]] = ()
    actions: Sequence[str] = ()
    action: str = ""
    bars: Mapping[str, Sequence[float]] = field(default_factory=dict)
    signed: bool = False


def compose(pictures: Pictures, caption: Caption) -> Image.Image:
    """One frame: the pictures, distributions as bars beside them, text below; pictures alone are
    as large as the frame allows."""
    frame = Image.new("RGB", SIZE, BACKGROUND)
    draw = ImageDraw.Draw(frame)
    large, small = ImageFont.load_default(18), ImageFont.load_default(15)
    side = SIDE if caption.actions else OUTCOME_SIDE
    draw.text((MARGIN, 10), caption.title, INK, large)
    for number, (heading, picture) in enumerate(pictures.items()):
        left = MARGIN + number * (side + MARGIN)
        image = ImageOps.contain(Image.fromarray(picture), (side, side))
        frame.paste(image, (left, HEADER))
        draw.text((left, HEADER + side + 4), heading, FAINT, small)
    _draw_bars(draw, caption, small)
    top = HEADER + side + 28
    draw.text((MARGIN, top), caption.scene, INK, large)
    for row, (p, plan) in enumerate(sorted(caption.plans, reverse=True)[:PLANS_SHOWN]):
        y = top + 26 + 18 * row
        draw.text((MARGIN + PERCENT_WIDTH, y), f"{p:.0%}", INK, small, anchor="ra")
        draw.text((MARGIN + PERCENT_WIDTH + 10, y), plan, INK, small)
    return frame


def _draw_bars(draw: ImageDraw.ImageDraw, caption: Caption, font: Any) -> None:
    """Beside the name of each action a bar for each who says something of it."""
    row_height = SIDE // max(len(caption.actions), 1)
    for row, name in enumerate(caption.actions):
        middle = HEADER + row * row_height + row_height // 2
        mark = INK if name == caption.action else FAINT
        draw.text((BARS_LEFT - NAMES_WIDTH, middle), name, mark, font, anchor="lm")
        top = middle - (BAR + 3) * len(caption.bars) // 2
        for number, (who, shares) in enumerate(caption.bars.items()):
            y = top + (BAR + 3) * number
            ends = _ends(shares[row], caption.signed)
            draw.rectangle((ends[0], y, ends[1], y + BAR), COLORS[who])
            place = BARS_LEFT + BARS_WIDTH + 6, y + BAR // 2 + 1
            draw.text(place, f"{shares[row]:.2f}", FAINT, font, anchor="lm")
    for number, who in enumerate(caption.bars):
        draw.text((BARS_LEFT + 90 * number, HEADER + SIDE + 4), who, COLORS[who], font)


def _ends(value: float, signed: bool) -> tuple[float, float]:
    """Where a bar begins and ends: from the left, or, if it is signed, from the middle."""
    if not signed:
        return BARS_LEFT, BARS_LEFT + BARS_WIDTH * value
    middle = BARS_LEFT + BARS_WIDTH / 2
    low, high = sorted((middle, middle + BARS_WIDTH / 2 * min(max(value, -1.0), 1.0)))
    return low, high


def write_film(path: Path, frames: Sequence[Image.Image]) -> None:
    """An animated image, or an H.264 film that browsers play, by the name's suffix, .gif or .mp4;
    its last frame stays for a while."""
    content = as_gif(frames) if path.suffix == ".gif" else _as_mp4(frames)
    write_atomically(path, lambda part: part.write_bytes(content))


def _as_mp4(frames: Sequence[Image.Image]) -> bytes:
    stays = [frames[-1]] * (OUTCOME_SECONDS * FRAMES_PER_SECOND - 1)
    film = np.stack([np.asarray(frame) for frame in (*frames, *stays)])
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
    """A small animated GIF, as an image summary takes it; its last frame stays for a while."""
    size = SIZE[0] // 2, SIZE[1] // 2
    # Of the ways to choose colours the one that keeps the few pixels of a small thing.
    how = Image.Quantize.MAXCOVERAGE
    small = [frame.resize(size).quantize(GIF_COLORS, how) for frame in frames]
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
