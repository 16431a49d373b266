"""What a page needs to draw a moment: plain values, and pictures where there are none."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

COLUMNS = 16
MOST_PIXELS = 160
"""Of a picture's longer side in a sheet."""
COLORS = 64


class Drawing(NamedTuple):
    """A moment, for the script of a page: its `kind` says which of the script's ways to draw it;
    `place` is what stays the same in an episode, `now` what changes, both plain values; `pictures`
    (height, width, 3) uint8 each, under what they show, are drawn as they are."""

    kind: str
    place: Mapping[str, Any]
    now: Mapping[str, Any]
    pictures: Mapping[str, np.ndarray]


def as_sheet(pictures: Sequence[np.ndarray]) -> dict[str, Any]:
    """Pictures of one size in one image, row by row: those that are alike cost little together.

    Returns its address (`src`, a PNG in the text), how many stand in a row (`columns`), and the
    `width` and `height` of each.
    """
    images = [Image.fromarray(picture) for picture in pictures]
    if max(images[0].size) > MOST_PIXELS:
        images = [ImageOps.contain(image, (MOST_PIXELS, MOST_PIXELS)) for image in images]
    width, height = images[0].size
    columns = min(COLUMNS, len(images))
    sheet = Image.new("RGB", (columns * width, -(-len(images) // columns) * height))
    for number, image in enumerate(images):
        sheet.paste(image, (number % columns * width, number // columns * height))
    content = BytesIO()
    # Of the ways to choose colours the one that keeps the few pixels of a small thing.
    few = sheet.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(content, "PNG", optimize=True)
    src = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    return {"src": src, "columns": columns, "width": width, "height": height}
