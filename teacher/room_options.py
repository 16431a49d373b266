"""Options in rooms, as functions of a whole batch of maps.

Each returns one action per step, (K,) int64, or `FINISHED` where it has nothing left to do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from env import symbols
from env.packed_maps import pack, pack_one
from env.symbols import ACTIONS, CARRIED, DONE, DROP, FORWARD, LEFT, PICK_UP, RIGHT, TOGGLE
from planner import plans
from planner.plans import Option
from planner.room_scene import NOWHERE
from teacher.advice import Advice
from teacher.options import Proposal
from teacher.search import ARRIVED, first_action
from teacher.surroundings import cell_ahead, cells_of, is_any, kind_next_to, poses
from utils import devices
from utils.tensors import Tensors, constant

FINISHED = ARRIVED
SINGLE_ACTIONS = {
    plans.PICK_UP: PICK_UP,
    plans.DROP: DROP,
    plans.OPEN: TOGGLE,
}
STEP_LIMIT = 50
"""Steps after which a student that chose to walk or to explore chooses again."""


def options_of(kinds: Mapping[str, int]) -> list[Option]:
    """All options in rooms with things of these names and types."""
    verbs: dict[int, tuple[str, ...]] = dict.fromkeys(
        CARRIED, (plans.GO_TO, plans.PICK_UP, plans.DROP)
    )
    verbs[symbols.DOOR] = plans.GO_TO, plans.OPEN
    return [
        Option(plans.EXPLORE),
        *(
            Option(verb, thing)
            for thing, kind in kinds.items()
            for verb in verbs.get(kind, (plans.GO_TO,))
        ),
    ]


@dataclass
class RoomOptions:
    """The options of rooms. The agent sees `view_size` cells ahead. `number` gives the place of a
    thing's name in a scene's `cells`."""

    number: Mapping[str, int]
    view_size: int

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {}

    def propose(
        self,
        obs: Tensors,
        memory: Tensors,
        options: list[Option],
        used: Tensor,
        state: Tensors,
    ) -> tuple[Proposal, Tensors]:
        """Each option's action on each of S maps. `memory` holds the `cells` of their things."""
        maps, cells = Maps.of(obs["image"]), self._cells(memory, options)
        bare = _bools((option.thing is None for option in options), used)
        # The agent waits for a thing that it has not seen in this episode.
        known = cells != NOWHERE
        single = tuple(SINGLE_ACTIONS.get(option.verb, DONE) for option in options)
        actions = torch.where(known, constant(single, cells.dtype, cells.device), DONE)
        for verb, ready in ((plans.GO_TO, known), (plans.EXPLORE, known | bare)):
            steps, number = places(used & ready, options, verb)
            if len(steps):
                # Of an unknown thing, nothing will be used.
                cell = cells[steps, number].clamp(min=0)
                if verb == plans.GO_TO:
                    found = go_to(maps, steps, cell)
                else:
                    found = explore(maps, steps, self.view_size)
                wanted = (used & ready)[steps, number]
                actions[steps, number] = torch.where(wanted, found, actions[steps, number])
        finished = functional.pad(actions == FINISHED, (0, 1), value=True)
        return Proposal(functional.pad(actions, (0, 1), value=DONE), finished), state

    def _cells(self, memory: Tensors, options: list[Option]) -> Tensor:
        return cells_of([option.thing for option in options], self.number, memory["cells"])

    def possible(
        self, obs: Tensors, memory: Tensors, options: list[Option], proposal: Proposal
    ) -> Tensor:
        """An option is impossible if it would wait: its thing was not seen yet, or no way to it is
        known. It is also impossible if the hand or the cell ahead rule it out. Whether a key fits
        is not checked."""
        maps = Maps.of(obs["image"])
        x, y, _ = maps.agent
        _, width, height = maps.kind.shape
        own, kind = (x * height + y)[:, None], maps.kind.flatten(1)
        full = is_any(kind.gather(1, own), *CARRIED)
        # The agent's own cell shows what it carries.
        ground, states = kind.scatter(1, own, symbols.EMPTY), obs["image"][..., 2].flatten(1)
        front = cell_ahead(maps.agent, width, height)[:, None]
        free = (kind_next_to(maps.kind, maps.agent) == symbols.EMPTY)[:, None]

        cells = self._cells(memory, options)
        place = cells.clamp(min=0)
        in_hand, faced = full & (ground.gather(1, place) == symbols.EMPTY), cells == front
        possible = proposal.actions[:, :-1] != DONE
        for verb, can in {
            plans.GO_TO: ~in_hand,
            plans.PICK_UP: faced & ~full,
            plans.DROP: in_hand & free,
            plans.OPEN: faced & (states.gather(1, place) != symbols.OPEN),
        }.items():
            possible &= can | ~_of(verb, options, can)
        return possible

    def limit(self, option: Option) -> int:
        return 1 if option.verb in SINGLE_ACTIONS else STEP_LIMIT

    def choose(self, advice: Advice, obs: Tensors, generator: torch.Generator) -> Tensors:
        return advice.choose(len(ACTIONS), DONE, generator)


def places(mask: Tensor, options: list[Option], verb: str) -> tuple[Tensor, Tensor]:
    """The steps and the numbers of the options with this verb where a mask (S, O) is set; on an
    accelerator all of them, if they are few."""
    numbers = tuple(number for number, option in enumerate(options) if option.verb == verb)
    columns = constant(numbers, torch.int64, mask.device)
    count = len(mask) * len(numbers)
    if devices.takes_all(mask.device, count):
        every = torch.arange(count, device=mask.device)
        return every // max(len(numbers), 1), columns.repeat(len(mask))
    steps, column = mask[:, columns].nonzero(as_tuple=True)
    return steps, columns[column]


def _of(verb: str, options: list[Option], like: Tensor) -> Tensor:
    """(O,) bool, on the device of `like`: which options have this verb."""
    return _bools((option.verb == verb for option in options), like)


def _bools(of_options: Iterable[bool], like: Tensor) -> Tensor:
    """(O,) bool, on the device of `like`."""
    return constant(tuple(of_options), torch.bool, like.device)


@dataclass
class Maps:
    """Remembered maps.

    `kind` (S, W, H) uint8 are the types of the cells. `passable` holds packed columns. `agent`
    (3, S) int64 is x, y, direction.

    Known empty cells, goals, open doors and lava are passable: the teacher knows no danger.
    """

    kind: Tensor
    passable: Tensor
    agent: Tensor

    @classmethod
    def of(cls, obs: Tensor) -> "Maps":
        """From observations (S, W, H, 4) uint8."""
        kind, state = obs[..., 0], obs[..., 2]
        open_door = (kind == symbols.DOOR) & (state == symbols.OPEN)
        passable = is_any(kind, symbols.EMPTY, symbols.GOAL, symbols.LAVA) | open_door
        return cls(kind.contiguous(), pack(passable), poses(obs))


def go_to(maps: Maps, steps: Tensor, cell: Tensor) -> Tensor:
    """Walk to a remembered cell (K,), x * H + y, and face it from the cell next to it.

    `steps` (K,) are the numbers of the maps. Without a path the agent waits.
    """
    height = maps.kind.shape[2]
    passable = maps.passable[steps]
    target = pack_one(cell // height, cell % height, passable)
    return first_action(passable, maps.agent[:, steps], target)


def explore(maps: Maps, steps: Tensor, view_size: int) -> Tensor:
    """Turn towards the unseen part of the room and walk into it.

    `steps` (K,) are the numbers of the maps. A direction counts if it has unseen cells beyond the
    reach of the view and within the known edges of the room. The option is finished when none of
    the four directions counts.
    """
    kind, agent = maps.kind[steps], maps.agent[:, steps]
    x, y, heading = agent
    count, width, height = kind.shape
    each = torch.arange(count, device=kind.device)

    # The agent's own cell may show the key it carries, which is no obstacle.
    ground = kind
    ground.view(count, -1).scatter_(1, (x * height + y)[:, None], symbols.EMPTY)
    right, bottom = _far_edges(is_any(ground, symbols.WALL, symbols.DOOR))

    columns = torch.arange(width, device=kind.device)
    rows = torch.arange(height, device=kind.device)
    unseen = (ground == symbols.UNSEEN) & (columns < right[:, None])[:, :, None]
    unseen &= (rows < bottom[:, None])[:, None, :]
    in_column, in_row = unseen.any(2), unseen.any(1)
    far = width + height
    reach = view_size // 2 + 1
    # How far beyond the agent unseen cells lie to the east, south, west, north.
    beyond = torch.stack(
        [
            torch.where(in_column, columns, -far).amax(1) - x,
            torch.where(in_row, rows, -far).amax(1) - y,
            x - torch.where(in_column, columns, far).amin(1),
            y - torch.where(in_row, rows, far).amin(1),
        ]
    )
    ahead, to_right, behind, to_left = (beyond[(heading + turn) % 4, each] for turn in range(4))

    action = torch.where(behind + 1 >= reach, LEFT, FINISHED)
    action = torch.where(to_right >= reach, RIGHT, action)
    action = torch.where(to_left >= reach, LEFT, action)
    action = torch.where(ahead >= reach, FORWARD, action)

    in_the_way = is_any(kind_next_to(ground, agent), *CARRIED)
    left_taken = is_any(kind_next_to(ground, agent, -1), symbols.WALL, symbols.DOOR, *CARRIED)
    return torch.where(in_the_way, torch.where(left_taken, RIGHT, LEFT), action)


def _far_edges(solid: Tensor) -> tuple[Tensor, Tensor]:
    """Where the room ends on the right and at the bottom, (S,) each, judged by the walls seen.

    Two solid cells one above the other mark the right edge, two side by side the bottom edge. The
    first pair in (x, y) order counts, from x = y = 1 on. A cell marks only one of the edges.
    """
    _, width, height = solid.shape
    inner = solid[:, 1:-1, 1:-1]
    above = (inner & solid[:, 1:-1, 2:]).flatten(1)
    beside = (inner & solid[:, 2:, 1:-1]).flatten(1)
    first = above.to(torch.uint8).argmax(1, keepdim=True)
    beside = beside.scatter(1, first, beside.gather(1, first) & ~above.gather(1, first))
    second = beside.to(torch.uint8).argmax(1, keepdim=True)
    right = torch.where(above.any(1), first[:, 0] // (height - 2) + 2, width)
    bottom = torch.where(beside.any(1), second[:, 0] % (height - 2) + 2, height)
    return right, bottom
