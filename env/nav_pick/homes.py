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
"""Separates the draws of a start in reach from all other draws of the same seed."""
BACK = 0.3
"""Metres: the most that a start in reach lies behind a goal."""


@dataclass(frozen=True)
class Home:
    """One home in metres, as plain numbers, from which another program can build it.

    A box is its lowest and its highest corner, (x, y, z, x, y, z). `object` is the middle of a
    cube, `start` is (x, y, heading) of the base. `goals` (x, y) are places of the base from which
    the hand can reach the object.
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
    """The i-th of the drawn homes as plain numbers."""

    def numbers(tensor: Tensor) -> Any:
        """As Python numbers, without the rounding errors of float32."""
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

    A layout (rooms, furniture, table) is a function of its number. The seed chooses one of the
    numbers from `first_layout` to `first_layout` + `layouts` - 1. With `layouts` 0 the number is
    `first_layout` + seed. The seed alone sets the object's place on the table and the start.

    Returns float32 in metres: `boxes` (M, 12, 6), `object` (M, 3), `start` (M, 3), and `goals`
    (M, 4, 2), one per side of the table. A goal that does not exist lies far outside.
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
    """Starts (M, 3), x, y and heading, with the object near and faced; a function of seeds (M,).

    A start is at a goal, or up to `BACK` behind it if nothing is in the way.
    """
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
