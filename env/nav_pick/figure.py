"""Draw the frames of Nav & Pick: python -m env.nav_pick.figure docs/nav_pick.png"""

import math
import sys
from typing import Any

from env.nav_pick.pictures import MARGIN, SCALE
from env.nav_pick.tensor_homes import NavPickHomes

SEED, STOP = 24, 3.4
"""The seed of a home with two rooms; the robot's distance to the goal, in metres."""


def draw_frames(path: str) -> None:
    """Save a picture of a home from above, with its frames, beside the camera's depth image."""
    import matplotlib.pyplot as plt
    import torch

    homes = NavPickHomes(1, layouts=0)
    obs, _ = homes.reset(seed=SEED)
    while obs["privileged"][0, 5] > STOP:
        angle = math.atan2(*reversed(obs["privileged"][0, 3:5].tolist()))
        forward, turn = float(abs(angle) < 0.3), angle / math.radians(9)
        obs, *_ = homes.step(torch.tensor([[forward, turn, 0, 0, 0, -1]]))
    picture = homes.pictures()["map"]
    x, y, heading, ahead, left, distance = obs["privileged"][0].tolist()
    cos, sin = math.cos(heading), math.sin(heading)

    figure, (above, view) = plt.subplots(
        1, 2, figsize=(13, 5), width_ratios=(1.5, 1), layout="constrained"
    )
    low = -MARGIN / SCALE
    width, height = picture.shape[1] / SCALE + low, picture.shape[0] / SCALE + low
    above.imshow(picture, extent=(low, width, low, height))

    def arrow(start: tuple[float, float], way: tuple[float, float], text: str, color: str) -> None:
        end = start[0] + way[0], start[1] + way[1]
        style = {"arrowstyle": "-|>", "color": color, "lw": 2}
        above.annotate("", end, start, arrowprops=style)
        above.annotate(text, end, (5, 5), textcoords="offset points", color=color)

    arrow((0, 0), (1, 0), "x", "black")
    arrow((0, 0), (0, 1), "y", "black")
    arrow((x, y), (0.9 * cos, 0.9 * sin), "x of the base", "tab:blue")
    arrow((x, y), (-0.9 * sin, 0.9 * cos), "y", "tab:blue")
    for side in (-math.pi / 4, math.pi / 4):
        edge = math.cos(heading + side), math.sin(heading + side)
        above.plot([x, x + 2.5 * edge[0]], [y, y + 2.5 * edge[1]], "--", color="tab:gray", lw=1)
    target = x + cos * ahead - sin * left, y + sin * ahead + cos * left
    above.plot([x, target[0]], [y, target[1]], ":", color="tab:green", lw=2)
    home = homes.home(0)
    notes: list[tuple[str, Any]] = [
        ("table", home.table[3:5]),
        ("object", home.object[:2]),
        *(("goal", goal) for goal in home.goals),
        (f"next place to go to, {distance:.1f} m to a goal", target),
    ]
    for text, place in notes:
        above.annotate(text, place[:2], (6, 6), textcoords="offset points", fontsize=8)
    above.set(xlabel="x of the home (m)", ylabel="y of the home (m)", title="from above")
    above.set(xlim=(low, width), ylim=(low, height))

    shown = view.imshow(obs["depth"][0, ..., 0] * 10, cmap="viridis_r")
    figure.colorbar(shown, ax=view, label="depth along the optical axis (m)")
    view.set(xlabel="column", ylabel="row", title="depth")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    draw_frames(sys.argv[1])
