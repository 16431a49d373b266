"""Homes of a mobile robot, drawn from seeds, in metres."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from env.nav_pick.layout import (
    CEILING,
    DIVIDER,
    HALF_OBJECT,
    LOW,
    OUTER,
    TABLE,
    TALL,
    HomeDraws,
    Layout,
)
from env.nav_pick.robot import SKIN, slide
from env.nav_pick.robot_state import FACING, NEAR
from utils.tensors import Tensors

OTHER_STREAM = 0x5851F42D4C957F2D
"""Tells draws of a seed from those of its home and of its layout."""
BACK = 0.3
"""Metres: so far behind a place to stand the arm is used from."""


@dataclass(frozen=True)
class Home:
    """One home in metres, as plain numbers: what is needed to build it elsewhere.

    A box is its lowest corner and its highest one, (x, y, z, x, y, z); the `object` is the middle
    of a cube; `start` is (x, y, heading) of the base; `goals` are places to stand (x, y), from
    where the object can be reached.
    """

    walls: list[list[float]]
    furniture: list[list[float]]
    table: list[float]
    object: list[float]
    object_size: float
    ceiling: float
    start: list[float]
    goals: list[list[float]]


def describe(homes: Tensors, i: int) -> Home:
    """The i-th of the drawn homes."""

    def numbers(tensor: Tensor) -> Any:
        """Without what float32 adds to them."""
        return np.round(tensor.double().cpu().numpy(), 6).tolist()

    boxes, goals = numbers(homes["boxes"][i]), numbers(homes["goals"][i])

    def present(part: slice) -> list[list[float]]:
        return [box for box in boxes[part] if box[5] > 0]

    return Home(
        walls=present(OUTER) + present(DIVIDER),
        furniture=present(TALL) + present(LOW),
        table=boxes[TABLE],
        object=numbers(homes["object"][i]),
        object_size=2 * HALF_OBJECT / 100,
        ceiling=CEILING / 100,
        start=numbers(homes["start"][i]),
        goals=[goal for goal in goals if goal[0] > 0],
    )


def draw_homes(seeds: Tensor, layouts: int = 10, first_layout: int = 0) -> Tensors:
    """The homes of M episodes, from their seeds (M,) int64.

    A layout (rooms, furniture, table) is a function of its number: `first_layout` and the
    `layouts` - 1 after it, one of which the seed chooses; or, where `layouts` is 0, the seed's own,
    `first_layout` + seed. Everything else is the seed's: where on the table the object lies, and
    the start.

    Returns float32 in metres: `boxes` (M, 12, 6), `object` (M, 3), `start` (M, 3), and `goals`
    (M, 4, 2), one a side of the table, far outside where there is none.
    """
    draw = HomeDraws(~seeds)
    chosen = draw(layouts) if layouts else seeds & 2**62 - 1
    layout = Layout(first_layout + chosen)
    thing, goals = layout.place_object(draw)
    start = layout.place_start(draw, thing)
    boxes, goals, thing = (part.float() * 0.01 for part in (layout.boxes(), goals, thing))
    heading = (start[:, 2:] - 1800).float() * (torch.pi / 1800)
    start = torch.cat([start[:, :2].float() * 0.01, heading], 1)
    return {"boxes": boxes, "object": thing, "start": start, "goals": goals}


def start_in_reach(homes: Tensors, seeds: Tensor) -> Tensor:
    """(M, 3) x, y and heading at a place to stand, or up to `BACK` behind it if nothing is in the
    way, from where the object is within reach and faced; a function of the seeds (M,)."""
    draw = HomeDraws(seeds ^ OTHER_STREAM)
    thing, goals = homes["object"][:, :2], homes["goals"]
    there = goals[..., 0] > 0
    rank = 1 + draw(there.sum(1))
    chosen = (there & (there.cumsum(1) == rank[:, None])).byte().argmax(1)
    goal = goals.gather(1, chosen[:, None, None].expand(-1, 1, 2))[:, 0]
    apart = (goal - thing).square().sum(1).sqrt()
    room = (NEAR - apart - SKIN).clamp(0, BACK)
    back = (goal - thing) * (room * draw(1001) / 1000 / apart)[:, None]
    low, high = homes["boxes"][..., :2], homes["boxes"][..., 3:5]
    place = goal + slide(goal, back, low, high)[0]
    aim = thing - place
    aside = (draw(1001) - 500) * (FACING - SKIN) / 500
    return torch.cat([place, (torch.atan2(aim[:, 1], aim[:, 0]) + aside)[:, None]], 1)
