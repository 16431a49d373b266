"""The symbol table of MiniGrid observations: what the numbers in an image mean.

Channel 0 holds an object's type, channel 1 its colour, and channel 2 its state (doors only).
Channel 3 holds the agent's direction at its own cell, and `NO_AGENT` elsewhere.
"""

from minigrid.core.actions import Actions
from minigrid.core.constants import COLOR_TO_IDX, DIR_TO_VEC, OBJECT_TO_IDX, STATE_TO_IDX

TYPES: dict[str, int] = OBJECT_TO_IDX
COLORS: dict[str, int] = COLOR_TO_IDX
STATES: dict[str, int] = STATE_TO_IDX
COLOR_OF_INDEX: dict[int, str] = {index: color for color, index in COLORS.items()}

UNSEEN = TYPES["unseen"]
EMPTY = TYPES["empty"]
WALL = TYPES["wall"]
FLOOR = TYPES["floor"]
"""A coloured tile, on which the agent walks and nothing can be dropped."""
DOOR = TYPES["door"]
KEY = TYPES["key"]
BALL = TYPES["ball"]
BOX = TYPES["box"]
GOAL = TYPES["goal"]
LAVA = TYPES["lava"]
CARRIED = (KEY, BALL, BOX)
"""The types of things that can be carried."""
OPEN = STATES["open"]
CLOSED = STATES["closed"]
LOCKED = STATES["locked"]
NO_AGENT = 4
HEADINGS = tuple((int(dx), int(dy)) for dx, dy in DIR_TO_VEC)
"""The step in x and y that each direction takes: east, south, west, north."""

LEFT = int(Actions.left)
RIGHT = int(Actions.right)
FORWARD = int(Actions.forward)
PICK_UP = int(Actions.pickup)
DROP = int(Actions.drop)
TOGGLE = int(Actions.toggle)
DONE = int(Actions.done)
ACTIONS = ("left", "right", "forward", "pick up", "drop", "toggle", "done")
