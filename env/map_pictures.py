"""Pictures of a MiniGrid environment: as it is, and as its agent remembers it."""

import numpy as np
from minigrid.core.constants import TILE_PIXELS

from env.drawing import Drawing
from env.remembered_map import RememberedMap
from env.symbols import COLORS, STATES, TYPES, UNSEEN

UNSEEN_GREY = 200


def truth_picture(
    remembered: RememberedMap, tile_size: int = TILE_PIXELS, highlight: bool = True
) -> np.ndarray:
    """The environment itself, (height, width, 3) uint8. `highlight` lights up the view."""
    env = remembered.env
    in_view = np.zeros((env.width, env.height), bool)
    if highlight:
        for cell in remembered.in_view:
            in_view[cell] = True
    return env.grid.render(tile_size, remembered.pose[:2], env.agent_dir, in_view)


def memory_picture(
    remembered: RememberedMap, tile_size: int = TILE_PIXELS, highlight: bool = True
) -> np.ndarray:
    """The environment as the agent remembers it, (height, width, 3) uint8; grey is unseen."""
    picture = truth_picture(remembered, tile_size, highlight)
    unseen = (remembered.cells[..., 0] == UNSEEN).T
    picture[unseen.repeat(tile_size, axis=0).repeat(tile_size, axis=1)] = UNSEEN_GREY
    return picture


def both_pictures(remembered: RememberedMap) -> dict[str, np.ndarray]:
    """The agent's memory, and the environment itself, (height, width, 3) uint8 each, by title."""
    return {
        "as the agent remembers it (light grey: not seen yet)": memory_picture(remembered),
        "as it is": truth_picture(remembered),
    }


def map_drawing(remembered: RememberedMap) -> Drawing:
    """The maps of the environment and of the agent's memory, the agent, and the cells in its view.

    A map is a text with two base-36 digits per cell, column by column: (type * colours + colour) *
    states + state. The agent is x, y and direction; what it carries is one such cell. Cells in view
    are x * height + y.
    """
    env = remembered.env
    types, colors = ({i: name for name, i in table.items()} for table in (TYPES, COLORS))
    now = {
        "truth": _digits(env.grid.encode()),
        "memory": _digits(remembered.cells[..., :3]),
        "agent": list(remembered.pose),
        "carries": _digits(np.array(remembered.held)),
        "view": sorted(x * env.height + y for x, y in remembered.in_view),
    }
    size = [env.width, env.height]
    place = {"size": size, "types": types, "colors": colors, "states": len(STATES)}
    return Drawing("room", place, now, {})


def _digits(cells: np.ndarray) -> str:
    kind, color, state = cells.reshape(-1, 3).astype(int).T
    codes = (kind * len(COLORS) + color) * len(STATES) + state
    return "".join(np.base_repr(code, 36).lower().zfill(2) for code in codes)
