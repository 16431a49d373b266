"""Many pictures in one image, for a page."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageOps

COLUMNS = 16
MOST_PIXELS = 160
"""The longer side of a picture in a sheet; larger ones are scaled down."""
COLORS = 64


def as_sheet(pictures: Sequence[np.ndarray]) -> dict[str, Any]:
    """Put pictures of one size into one image, row by row. Similar pictures compress well together.

    Returns the PNG as a data URL (`src`), the number of pictures in a row (`columns`), and the size
    of each (`width`, `height`).
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
    # This method keeps the colours of small objects.
    few = sheet.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(content, "PNG", optimize=True)
    src = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    return {"src": src, "columns": columns, "width": width, "height": height}
