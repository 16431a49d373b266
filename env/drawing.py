"""What a page needs to draw an environment at one moment."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Drawing(NamedTuple):
    """An environment at one moment, for the script of a page.

    `kind` selects how the script draws it: "room", "home", or "pictures" alone. `place` holds plain
    values that are constant over an episode, `now` holds those that change. `pictures` are
    (height, width, 3) uint8, by name. The page shows them unchanged.
    """

    kind: str
    place: Mapping[str, Any]
    now: Mapping[str, Any]
    pictures: Mapping[str, np.ndarray]
