import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from env.egocentric import EgocentricView
from env.symbols import COLORS, EMPTY, HEADINGS, NO_AGENT, STATES, TYPES, UNSEEN, WALL
from tests.graph_replay import Recording


def random_maps(count: int, width: int, height: int, seed: int) -> Tensor:
    """Maps (count, width, height, 4) uint8 with anything anywhere, the agent too."""
    draws = torch.Generator().manual_seed(seed)
    limits = len(TYPES), len(COLORS), len(STATES)
    channels = [torch.randint(n, (count, width, height), generator=draws) for n in limits]
    channels.append(torch.full((count, width, height), NO_AGENT))
    maps = torch.stack(channels, 3).to(torch.uint8)
    cells = torch.randint(width * height, (count,), generator=draws)
    headings = torch.randint(4, (count,), generator=draws).to(torch.uint8)
    maps[torch.arange(count), cells // height, cells % height, 3] = headings
    return maps


def planes_of(cell: list[int]) -> list[float]:
    """What is to be seen of a cell: one plane a type, a colour and a state of things."""
    kind, color, state, _ = cell
    thing = kind not in (UNSEEN, EMPTY, WALL)
    kinds = [kind == number for number in range(len(TYPES))]
    colors = [thing and color == number for number in range(len(COLORS))]
    states = [thing and state == number for number in range(1, len(STATES))]
    return [float(on) for on in (*kinds, *colors, *states)]


def reference(one: Tensor) -> Tensor:
    """The view of one map, cell by cell."""
    width, height, _ = one.shape
    agent = (one[..., 3] != NO_AGENT).nonzero()[0].tolist()
    heading = int(one[*agent, 3])
    ahead, right = HEADINGS[heading], HEADINGS[(heading + 1) % 4]
    reach = max(width, height) - 1
    side = 2 * reach + 1
    view = torch.zeros(len(planes_of([0] * 4)), side, side)
    for row in range(side):
        for column in range(side):
            forward, sideways = reach - row, column - reach
            x = agent[0] + forward * ahead[0] + sideways * right[0]
            y = agent[1] + forward * ahead[1] + sideways * right[1]
            if 0 <= x < width and 0 <= y < height:
                view[:, row, column] = torch.tensor(planes_of(one[x, y].tolist()))
    return view


@given(width=st.integers(1, 8), height=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_the_agent_sees_every_cell_where_it_lies(width: int, height: int, seed: int) -> None:
    maps = random_maps(3, width, height, seed)
    view = EgocentricView((width, height, 4))
    seen = view(maps)
    assert seen.shape == (3, *view.shape)
    assert torch.equal(seen, torch.stack([reference(one) for one in maps]))


@given(width=st.integers(1, 8), height=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_turning_the_room_turns_nothing_in_what_is_seen(width: int, height: int, seed: int) -> None:
    maps = random_maps(3, width, height, seed)
    # A quarter turn to the right: what lay in the east now lies in the south.
    turned = maps.transpose(1, 2).flip(1).clone()
    heading = turned[..., 3]
    turned[..., 3] = torch.where(heading == NO_AGENT, heading, (heading + 1) % 4)
    expected = EgocentricView((width, height, 4))(maps)
    assert torch.equal(EgocentricView((height, width, 4))(turned), expected)


@given(frames=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_of_stacked_maps_each_is_seen_from_where_the_agent_stood(frames: int, seed: int) -> None:
    parts = [random_maps(2, 5, 4, seed + number) for number in range(frames)]
    seen = EgocentricView((5, 4, 4 * frames))(torch.cat(parts, 3))
    single = EgocentricView((5, 4, 4))
    assert torch.equal(seen, torch.cat([single(part) for part in parts], 1))


def test_a_view_has_nothing_to_learn_and_looks_at_no_value() -> None:
    view = EgocentricView((10, 10, 4))
    assert not view.state_dict()
    assert not list(view.parameters())
    with Recording():
        view(random_maps(4, 10, 10, 0))


def test_maps_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="4 channels each, not 3"):
        EgocentricView((10, 10, 3))
