"""Options in MiniGrid and BabyAI tasks, as functions of a whole batch of maps.

They keep no state: each action depends on the remembered map alone. While the map stays the same,
each action of a walk brings its end one action nearer. So no walk goes to and fro.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from env.packed_maps import flood, pack_cell, touched
from env.symbols import ACTIONS, DONE, DROP, FORWARD, PICK_UP, TOGGLE
from planner import plans
from planner.plans import Option
from planner.world_words import (
    ANOTHER,
    BOX,
    DOOR,
    KEY,
    LOCKED_DOOR,
    OBJECT,
    OBSTACLE,
    THING,
    VOCABULARY,
)
from teacher.advice import Advice
from teacher.options import Proposal
from teacher.search import ARRIVED, first_action
from teacher.surroundings import cells_of
from teacher.world_maps import WorldMaps, meet
from utils.tensors import Tensors, constant

FINISHED = ARRIVED
STEP_LIMIT = 50
"""Steps after which a student that chose to walk, to explore or to drop chooses again."""
OPTIONS = (
    Option(plans.EXPLORE),
    *(Option(plans.GO_TO, name) for name in VOCABULARY if name != THING),
    *(Option(plans.PICK_UP, name) for name in (OBJECT, ANOTHER + OBJECT, KEY, BOX, OBSTACLE)),
    *(Option(plans.OPEN, name) for name in (DOOR, LOCKED_DOOR, ANOTHER + LOCKED_DOOR, BOX)),
    # To put aside whatever is held.
    Option(plans.DROP),
    *(Option(plans.DROP, OBJECT, other) for other in (ANOTHER + OBJECT, DOOR)),
)
"""The options that a student may choose. Names of things depend on the mission, as in scenes."""


@dataclass
class WorldOptions:
    """The options of MiniGrid and BabyAI tasks. `number` gives the place of a thing's name in a
    scene's `cells`."""

    number: Mapping[str, int]

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
        """Each option's action on each of S maps. `memory` holds the `cells` of things; a thing in
        hand has the agent's own cell."""
        maps, height = WorldMaps.of(obs, memory["cells"]), obs["image"].shape[2]
        names = [option.other or option.thing for option in options]
        cells = cells_of(names, self.number, memory["cells"])
        actions = torch.full_like(cells, DONE)
        for act in (explore, go_to, pick_up, open_it, put_aside, put_next_to):
            acts = tuple(_act_of(option) is act for option in options)
            mine = constant(acts, torch.bool, used.device)
            steps, number = (used & mine).nonzero(as_tuple=True)
            if len(steps):
                # A map counts once for each of its options with this verb.
                chosen = maps[steps]
                place = pack_cell(cells[steps, number], height, chosen.own)
                actions[steps, number] = act(chosen, place)
        finished = functional.pad(actions == FINISHED, (0, 1), value=True)
        return Proposal(functional.pad(actions, (0, 1), value=DONE), finished), state

    def possible(
        self, obs: Tensors, memory: Tensors, options: list[Option], proposal: Proposal
    ) -> Tensor:
        """An option is impossible if it would wait."""
        return proposal.actions[:, :-1] != DONE

    def limit(self, option: Option) -> int:
        return 1 if _act_of(option) in (pick_up, open_it) else STEP_LIMIT

    def choose(self, advice: Advice, obs: Tensors, generator: torch.Generator) -> Tensors:
        return advice.choose(len(ACTIONS), DONE, generator)


def explore(maps: WorldMaps, place: Tensor) -> Tensor:
    """Walk to the nearest unseen cell, through closed doors only if all else has been seen, and
    through doors of the mission last. Finished if no unseen cell can be reached."""
    doors = maps.free | maps.doors
    stages = [(ways, maps.unseen) for ways in (maps.free, doors, doors | maps.mission_doors)]
    action = _walk(maps, stages)
    return torch.where(action == DONE, FINISHED, action)


def go_to(maps: WorldMaps, place: Tensor) -> Tensor:
    """Walk to a place and face it, or walk onto a goal. Finished if the thing is faced or in hand.

    Closed doors are opened on the way. If there is no way, unseen cells count as free. If there is
    still none, the agent picks up what is in its way; with a full hand it waits.
    """
    ways = maps.free | maps.doors
    stages = [(ways, place)]
    for more in (maps.mission_doors, maps.unseen, maps.things):
        ways = ways | more
        stages.append((ways, place))
    action = _walk(maps, stages)
    action[meet(place, maps.goals & maps.ahead)] = FORWARD
    action[meet(place, maps.own) & maps.full] = FINISHED
    return action


def pick_up(maps: WorldMaps, place: Tensor) -> Tensor:
    """Pick up the thing that is faced. Finished if it is in hand."""
    ready = meet(place, maps.ahead) & ~maps.full
    action = torch.where(ready, PICK_UP, DONE)
    action[meet(place, maps.own) & maps.full] = FINISHED
    return action


def open_it(maps: WorldMaps, place: Tensor) -> Tensor:
    """Open the door or box that is faced; an open door is closed."""
    return torch.where(meet(place, maps.ahead), TOGGLE, DONE)


def put_aside(maps: WorldMaps, place: Tensor) -> Tensor:
    """Drop what is held at the nearest cell where it is harmless. If there is none, it may cut off
    things, then ways, but nothing that the scene names; else it is dropped anywhere. Finished if
    nothing is held."""
    ways = maps.free | maps.doors
    more = ways | maps.mission_doors
    masks = [maps.harmless(), torch.zeros_like(maps.own), torch.zeros_like(maps.own)]
    crowded = ~meet(touched(flood(more, maps.own)), masks[0]) & maps.full
    for mask, tried in zip(masks, maps[crowded].harmless_by_trial(), strict=True):
        mask[crowded] = tried
    return _drop(maps, [(ways, masks[0]), *((more, mask) for mask in (*masks, maps.empty))])


def put_next_to(maps: WorldMaps, place: Tensor) -> Tensor:
    """Drop what is held next to a place, if possible where it is harmless. Finished if nothing is
    held."""
    near, harmless = touched(place), maps.harmless()
    # The agent does not walk into the door that it puts something next to.
    ways = (maps.free | maps.doors) & ~place
    more = ways | (maps.mission_doors & ~place)
    stages = [
        (ways, near & harmless),
        (ways, near & maps.empty),
        (more, near & maps.empty),
        (more | maps.unseen, near & (maps.empty | maps.unseen)),
    ]
    return _drop(maps, stages)


_BY_VERB = {
    plans.EXPLORE: explore,
    plans.GO_TO: go_to,
    plans.PICK_UP: pick_up,
    plans.OPEN: open_it,
    plans.DROP: put_aside,
}


def _act_of(option: Option) -> Callable[[WorldMaps, Tensor], Tensor] | None:
    return put_next_to if option.other else _BY_VERB.get(option.verb)


def _drop(maps: WorldMaps, stages: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    action = _walk(maps, stages)
    action = torch.where(action == ARRIVED, DROP, action)
    return torch.where(maps.full, action, FINISHED)


def _walk(maps: WorldMaps, stages: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """The first action of a shortest path to a cell from which the agent faces a target.

    Each stage has passable cells and targets, packed. The first stage in which a target can be
    reached counts. The agent opens doors and picks up things in its way. `ARRIVED` if a target is
    faced; the agent waits if there is no path, or its hand is full for a thing in its way.
    """
    passable, targets = torch.zeros_like(maps.own), torch.zeros_like(maps.own)
    left, reach = torch.arange(len(passable), device=passable.device), maps.own
    for ways, wanted in stages:
        reach = flood(ways[left], reach)
        found = meet(touched(reach), wanted[left])
        chosen = left[found]
        passable[chosen], targets[chosen] = ways[chosen], wanted[chosen]
        left, reach = left[~found], reach[~found]
    slow = maps.doors | maps.mission_doors | maps.things
    action = first_action(passable, maps.pose.T, targets, slow & passable)
    step = action == FORWARD
    action.masked_fill_(step & meet(maps.ahead, maps.doors | maps.mission_doors), TOGGLE)
    action[step & meet(maps.ahead, maps.things)] = PICK_UP
    action[step & meet(maps.ahead, maps.things) & maps.full] = DONE
    return action
