import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from env.symbols import HEADINGS, NO_AGENT
from env.window import SIDES, SightView, WindowView
from env.worlds import make_world
from tests.env.test_egocentric import planes_of, random_maps
from tests.graph_replay import Recording

BEYOND = [0.0] * len(planes_of([0] * 4))


def random_starts(count: int, width: int, height: int, seed: int) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    parts = [torch.randint(n, (count,), generator=draws) for n in (width, height, 4)]
    return torch.stack(parts, 1).to(torch.uint8)


def sides_of(cell: tuple[int, int], start: list[int]) -> list[float]:
    """Whether a cell lies in front of a start, behind it, to its left, to its right."""
    x, y, heading = start
    ahead, right = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
    dx, dy = cell[0] - x, cell[1] - y
    forward, sideways = dx * ahead[0] + dy * ahead[1], dx * right[0] + dy * right[1]
    return [float(on) for on in (forward > 0, forward < 0, sideways < 0, sideways > 0)]


def reference(one: Tensor, start: list[int], side: int) -> Tensor:
    """The window of one map, cell by cell."""
    width, height, _ = one.shape
    agent = (one[..., 3] != NO_AGENT).nonzero()[0].tolist()
    heading = int(one[*agent, 3])
    ahead, right = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
    window = torch.zeros(len(BEYOND) + SIDES, side, side)
    for row in range(side):
        for column in range(side):
            forward, sideways = side // 2 - row, column - side // 2
            x = agent[0] + forward * ahead[0] + sideways * right[0]
            y = agent[1] + forward * ahead[1] + sideways * right[1]
            inside = 0 <= x < width and 0 <= y < height
            cell = planes_of(one[x, y].tolist()) if inside else BEYOND
            window[:, row, column] = torch.tensor([*cell, *sides_of((x, y), start)])
    return window


@given(
    width=st.integers(1, 9),
    height=st.integers(1, 9),
    side=st.sampled_from([1, 3, 7, 13]),
    seed=st.integers(0, 10**6),
)
def test_the_agent_sees_each_cell_near_it_where_it_lies(
    width: int, height: int, side: int, seed: int
) -> None:
    maps, start = random_maps(3, width, height, seed), random_starts(3, width, height, seed)
    window = WindowView((width, height, 4), side)
    seen = window({"image": maps, "start": start})
    assert seen.shape == (3, *window.shape)
    pairs = zip(maps, start.tolist(), strict=True)
    assert torch.equal(seen, torch.stack([reference(*each, side) for each in pairs]))


@given(width=st.integers(1, 8), height=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_turning_the_map_with_its_start_turns_nothing_in_what_is_seen(
    width: int, height: int, seed: int
) -> None:
    maps, start = random_maps(3, width, height, seed), random_starts(3, width, height, seed)
    # A quarter turn to the right: what lay in the east now lies in the south.
    turned = maps.transpose(1, 2).flip(1).clone()
    heading = turned[..., 3]
    turned[..., 3] = torch.where(heading == NO_AGENT, heading, (heading + 1) % 4)
    x, y, facing = start.unbind(1)
    start_turned = torch.stack([height - 1 - y, x, (facing + 1) % 4], 1)
    expected = WindowView((width, height, 4))({"image": maps, "start": start})
    seen = WindowView((height, width, 4))({"image": turned, "start": start_turned})
    assert torch.equal(seen, expected)


def test_a_view_of_minigrid_is_seen_as_the_same_part_of_a_fresh_map_is() -> None:
    world = make_world("BabyAI-GoToLocal-v0", "none")
    for seed in range(5):
        obs, _ = world.reset(seed=seed)
        batch = {name: torch.tensor(part.copy())[None] for name, part in obs.items()}
        sight = SightView(tuple(obs["view"].shape))(batch)
        size = obs["view"].shape[0]
        # The window has the agent in its middle, the view has it at the bottom.
        window = WindowView(tuple(obs["image"].shape), 2 * size - 1)(batch)
        ahead = window[:, : len(BEYOND), :size, size // 2 : size // 2 + size]
        # Beyond the map a view holds cells that were never seen, a window holds nothing.
        inside = ahead.any(1, keepdim=True)
        assert torch.equal(sight * inside, ahead)


def test_windows_have_nothing_to_learn_and_look_at_no_value() -> None:
    maps, start = random_maps(4, 10, 10, 0), random_starts(4, 10, 10, 0)
    for view in (WindowView((10, 10, 4)), SightView((7, 7, 3))):
        assert not view.state_dict()
        assert not list(view.parameters())
        with Recording():
            view({"image": maps, "start": start, "view": maps[:, :7, :7, :3]})


def test_a_window_without_a_middle_is_refused() -> None:
    with pytest.raises(ValueError, match="12 is even"):
        WindowView((10, 10, 4), 12)
