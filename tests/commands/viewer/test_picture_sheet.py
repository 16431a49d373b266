"""Pictures of an episode in one image."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from commands.viewer.watch_page import MOST_PIXELS, as_sheet


@pytest.mark.parametrize("count", [1, 15, 16, 40])
def test_each_picture_stands_in_its_place(count: int) -> None:
    pictures = [np.full((6, 9, 3), 5 * number, np.uint8) for number in range(count)]
    for number, picture in enumerate(pictures):
        picture[2, 7] = 250 - number
    told = as_sheet(pictures)
    sheet = np.asarray(
        Image.open(BytesIO(b64decode(told["src"].partition(",")[2]))).convert("RGB"), int
    )
    width, height, columns = told["width"], told["height"], told["columns"]
    assert (width, height) == (9, 6)
    for number, picture in enumerate(pictures):
        left, top = number % columns * width, number // columns * height
        found = sheet[top : top + height, left : left + width]
        assert np.abs(found - picture).max() <= 3


def test_a_large_picture_becomes_small() -> None:
    told = as_sheet([np.zeros((200, 400, 3), np.uint8)] * 2)
    assert (told["width"], told["height"]) == (MOST_PIXELS, MOST_PIXELS // 2)
