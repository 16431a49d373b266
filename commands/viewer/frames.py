"""One frame of a film: pictures of the environment, the scene's text, plans, and action bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

SIZE = (1120, 560)
SIDE, OUTCOME_SIDE, MARGIN, HEADER = 350, 480, 16, 40
BARS_LEFT, BARS_WIDTH, BAR, NAMES_WIDTH = 2 * SIDE + 3 * MARGIN + 90, 230, 14, 82
PLANS_SHOWN, PERCENT_WIDTH = 6, 40
BACKGROUND, INK, FAINT = (250, 250, 250), (30, 30, 30), (140, 140, 140)
COLORS = {"teacher": (230, 140, 30), "student": (50, 110, 200)}

Pictures = Mapping[str, np.ndarray]
"""Up to two pictures by heading, (height, width, 3) uint8 each."""


@dataclass
class Caption:
    """The text and bars of one frame.

    `bars` gives each actor's probability of each of the `actions`. If they are `signed`, it gives
    the value of each part of a continuous action, from -1 to 1.
    """

    title: str
    scene: str = ""
    plans: Sequence[tuple[float, str]] = ()
    actions: Sequence[str] = ()
    action: str = ""
    bars: Mapping[str, Sequence[float]] = field(default_factory=dict)
    signed: bool = False


def compose(pictures: Pictures, caption: Caption) -> Image.Image:
    """Draw one frame: pictures on the left, bars on the right, text below. Without actions the
    pictures fill the frame."""
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
    likeliest = sorted(caption.plans, reverse=True)[:PLANS_SHOWN]
    for row, (probability, plan) in enumerate(likeliest):
        y = top + 26 + 18 * row
        draw.text((MARGIN + PERCENT_WIDTH, y), f"{probability:.0%}", INK, small, anchor="ra")
        draw.text((MARGIN + PERCENT_WIDTH + 10, y), plan, INK, small)
    return frame


def _draw_bars(draw: ImageDraw.ImageDraw, caption: Caption, font: Any) -> None:
    """Draw the name of each action, and beside it a bar for each actor."""
    row_height = SIDE // max(len(caption.actions), 1)
    for row, name in enumerate(caption.actions):
        middle = HEADER + row * row_height + row_height // 2
        ink = INK if name == caption.action else FAINT
        draw.text((BARS_LEFT - NAMES_WIDTH, middle), name, ink, font, anchor="lm")
        top = middle - (BAR + 3) * len(caption.bars) // 2
        for number, (actor, shares) in enumerate(caption.bars.items()):
            y = top + (BAR + 3) * number
            left, right = _ends(shares[row], caption.signed)
            draw.rectangle((left, y, right, y + BAR), COLORS[actor])
            place = BARS_LEFT + BARS_WIDTH + 6, y + BAR // 2 + 1
            draw.text(place, f"{shares[row]:.2f}", FAINT, font, anchor="lm")
    for number, actor in enumerate(caption.bars):
        draw.text((BARS_LEFT + 90 * number, HEADER + SIDE + 4), actor, COLORS[actor], font)


def _ends(value: float, signed: bool) -> tuple[float, float]:
    """The x of both ends of a bar. It starts at the left, or in the middle if it is signed."""
    if not signed:
        return BARS_LEFT, BARS_LEFT + BARS_WIDTH * value
    middle = BARS_LEFT + BARS_WIDTH / 2
    low, high = sorted((middle, middle + BARS_WIDTH / 2 * min(max(value, -1.0), 1.0)))
    return low, high
