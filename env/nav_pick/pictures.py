"""Pictures of a home: the camera's view, and a map with the robot's trail."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from env.drawing import Drawing
from env.nav_pick.homes import Home
from env.nav_pick.robot import RADIUS

PIXEL = 6
"""The side of a depth pixel in its picture, in pixels."""
SCALE, MARGIN = 60, 12
"""Pixels per metre; the width of the border around a map."""
BACKGROUND = 250, 250, 250
WALL = 70, 70, 70
TALL, LOW, TABLE = (120, 110, 100), (196, 184, 168), (222, 190, 130)
OBJECT, GOAL = (200, 40, 40), (60, 150, 80)
ROBOT, BUMPED, TRAIL = (50, 110, 200), (230, 140, 30), (120, 160, 220)


def home_drawing(home: Home, now: Mapping[str, Tensor], depth: Tensor) -> Drawing:
    """The boxes of a home, the view (H, W, 1), and the state `now` in the home, in metres and
    radians; its `hand` is the hand's place."""
    place = {**asdict(home), "radius": RADIUS}

    def rounded(*numbers: float) -> list[float]:
        return [round(number, 3) for number in numbers]

    changes = {
        "robot": rounded(*now["position"].tolist(), float(now["heading"])),
        "hand": rounded(*now["hand"].tolist()[:2]),
        "thing": rounded(*now["object"].tolist()),
        "holds": bool(now["holding"]),
        "contact": bool(now["contact"]),
    }
    return Drawing("home", place, changes, {"depth": np.repeat(_shades(depth)[..., None], 3, 2)})


def view_picture(depth: Tensor) -> np.ndarray:
    """A view (H, W, 1) in [0, 1] as a picture; near is bright."""
    large = _shades(depth).repeat(PIXEL, 0).repeat(PIXEL, 1)
    return np.repeat(large[..., None], 3, 2)


def _shades(depth: Tensor) -> np.ndarray:
    return (255 * (1 - depth[..., 0].numpy()) ** 2).astype(np.uint8)


def map_picture(home: Home, now: Mapping[str, Tensor], trail: Tensor) -> np.ndarray:
    """A home from above, x to the right, y up, with the state `now` and the `trail` (T, 2)."""
    width, depth = (max(box[axis] for box in home.walls) for axis in (3, 4))
    size = (round(width * SCALE) + 2 * MARGIN, round(depth * SCALE) + 2 * MARGIN)
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)

    def at(x: float, y: float) -> tuple[float, float]:
        return MARGIN + x * SCALE, size[1] - MARGIN - y * SCALE

    ceiling = home.ceiling
    furniture = [(box, TALL if box[5] >= ceiling else LOW) for box in home.furniture]
    for box, color in [*((box, WALL) for box in home.walls), *furniture, (home.table, TABLE)]:
        (left, bottom), (right, top) = at(*box[:2]), at(*box[3:5])
        draw.rectangle((left, top, right, bottom), color)
    for x, y in home.goals:
        _draw_disc(draw, at(x, y), 0.05, GOAL)
    _draw_robot(draw, at, home.object_size, now, trail)
    return np.asarray(picture)


def floor_picture(
    free: np.ndarray, low: np.ndarray, size: float, now: Mapping[str, Tensor], trail: Tensor
) -> np.ndarray:
    """A map of the `free` floor (H, W) bool, where the middle of the base can be.

    It has `SCALE` pixels per metre; row 0 has the highest y. `low` (2,) is the corner with the
    lowest x and y, `size` the side of the object in metres; `now` and `trail` as in `map_picture`.
    """
    colors = np.where(free[..., None], BACKGROUND, LOW).astype(np.uint8)
    picture = Image.fromarray(colors)
    x, y = low

    def at(*place: float) -> tuple[float, float]:
        return (place[0] - x) * SCALE, len(free) - (place[1] - y) * SCALE

    _draw_robot(ImageDraw.Draw(picture), at, size, now, trail)
    return np.asarray(picture)


def _draw_robot(
    draw: ImageDraw.ImageDraw,
    at: Callable[[float, float], tuple[float, float]],
    object_size: float,
    now: Mapping[str, Tensor],
    trail: Tensor,
) -> None:
    """Draw the robot, its trail, its hand and the object; `at` converts a place to pixels."""
    if len(trail) > 1:
        draw.line([at(*place) for place in trail.tolist()], TRAIL, 3)
    x, y = now["position"].tolist()
    heading, color = float(now["heading"]), BUMPED if now["contact"] else ROBOT
    _draw_disc(draw, at(x, y), RADIUS, color)
    front = x + RADIUS * math.cos(heading), y + RADIUS * math.sin(heading)
    draw.line([at(x, y), at(*front)], color, 3)
    hand, thing = (at(*now[name].tolist()[:2]) for name in ("hand", "object"))
    draw.line([at(x, y), hand], color, 2)
    _draw_disc(draw, thing, object_size, OBJECT)
    _draw_disc(draw, hand, 0.05, color)


def _draw_disc(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, color: tuple[int, ...]
) -> None:
    (x, y), radius = at, radius * SCALE
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=color, width=3)
