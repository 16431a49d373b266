"""Options in homes, navigate and pick: by rules or by policies that were trained before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from env.nav_pick.robot_state import (
    ACTIONS,
    DRIVEN,
    FORWARD,
    GRIP,
    HAND_MOVE,
    OBJECT,
    OBJECT_FROM_HAND,
    PATH,
    REACHED,
    TURN,
    TURNED,
    WAYPOINT,
    is_faced,
    is_held,
    is_near,
)
from planner.plans import GO_TO, PICK_UP, Option
from teacher.advice import Advice, drawn
from teacher.options import Proposal
from utils import devices
from utils.tensors import Tensors, choose, constant, count, group, put, rows, under

LEAST_SPREAD = 0.2
"""The smallest standard deviation of an advice, in units of full command."""
AHEAD = 0.35
"""Radians: the base drives if its way leads at most this far to the side, else it turns."""
ARRIVED = 0.12
"""Metres: this close to its end, the shortest path counts as finished."""
AT_GOAL = "arrived"
"""A navigating policy may have this in its state, (N,) bool: its belief that it has arrived."""


class Policy(Protocol):
    """Carries an option out, for at most `limit` steps in a row, or without a limit."""

    limit: int | None

    def initial_state(self, count: int, device: torch.device) -> Tensors: ...

    def act(self, obs: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        """One step: `mean` and `spread` (N, A) of the action, and the new state."""


class Scripted:
    """A rule as a policy, with Gaussian `noise` around its actions, in units of full command."""

    limit: int | None = None

    def __init__(self, rule: Callable[[Tensors], Tensor], noise: float = 0.0) -> None:
        self.rule = rule
        self.noise = noise

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {}

    def act(self, obs: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        mean = self.rule(obs)
        return {"mean": mean, "spread": torch.full_like(mean, self.noise)}, state


def navigate(obs: Tensors) -> Tensor:
    """Follow the shortest path, which `privileged` holds, then turn to the object: (N, 6)."""
    state, known = obs["state"], obs["privileged"]
    there = is_near(state) | (known[:, PATH] < ARRIVED)
    aim = torch.where(there[:, None], state[:, OBJECT][:, :2], known[:, WAYPOINT])
    angle = torch.atan2(aim[:, 1], aim[:, 0])
    far = aim.square().sum(1).sqrt() / DRIVEN
    drives = ~there & (angle.abs() < AHEAD)
    action = waiting(obs)
    action[:, FORWARD] = far.clamp(max=1) * angle.cos() * drives
    action[:, TURN] = (angle / TURNED).clamp(-1, 1)
    return action


def pick(obs: Tensors) -> Tensor:
    """Reach for the object with a closed grip, to which it snaps, then lift it: (N, 6)."""
    state = obs["state"]
    held = is_held(state)[:, None]
    reach = (state[:, OBJECT_FROM_HAND] / REACHED).clamp(-1, 1)
    action = waiting(obs)
    up = constant((0.0, 0.0, 1.0), reach.dtype, reach.device)
    action[:, HAND_MOVE] = torch.where(held, up, reach)
    action[:, GRIP] = 1.0
    return action


def waiting(obs: Tensors, size: int = len(ACTIONS)) -> Tensor:
    """Stand still and keep holding: (N, 6), or another `size` of actions."""
    action = torch.zeros(count(obs), size, device=obs["state"].device)
    action[:, GRIP] = torch.where(is_held(obs["state"]), 1.0, -1.0)
    return action


RULES: Mapping[str, Callable[[Tensors], Tensor]] = {"navigate": navigate, "pick": pick}
VERBS = {GO_TO: "navigate", PICK_UP: "pick"}
LIMITS = {"navigate": 200, "pick": 60}
"""Steps in a row after which a learned option gives up, and a student that chose an option chooses
again: several times what the rules take."""


def at_hand(state: Tensor) -> Tensor:
    """(S,) bool: whether the object is held, or within reach and faced. Here navigating ends and
    picking begins."""
    return is_near(state) & is_faced(state) | is_held(state)


@dataclass
class HomeOptions:
    """The options `navigate` and `pick`, each carried out by a policy. Actions have `size` numbers.

    A policy's state and its count of steps start anew whenever its option starts.
    """

    policies: Mapping[str, Policy]
    size: int = len(ACTIONS)

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        state: Tensors = {}
        for name, policy in self.policies.items():
            own = policy.initial_state(count, device)
            if policy.limit is not None:
                own = own | {"steps": torch.zeros(count, dtype=torch.int64, device=device)}
            state |= under(name, own)
        return state

    def propose(
        self,
        obs: Tensors,
        memory: Tensors,
        options: list[Option],
        used: Tensor,
        state: Tensors,
    ) -> tuple[Proposal, Tensors]:
        """Each option's action in each of S homes."""
        still = waiting(obs, self.size)
        actions = still[:, None].repeat(1, len(options) + 1, 1)
        spread = torch.full_like(actions, LEAST_SPREAD)
        finished = torch.zeros(actions.shape[:2], dtype=torch.bool, device=still.device)
        finished[:, -1] = True
        reached = at_hand(obs["state"])
        arrived = group("navigate", state).get(AT_GOAL)
        if arrived is not None:
            reached = reached | arrived
        # An option that is not at work loses its state.
        carried = self.initial_state(len(still), still.device)
        every = torch.arange(len(still), device=still.device)
        takes_all = devices.takes_all(still.device, len(still))
        for number, option in enumerate(options):
            name = VERBS.get(option.verb)
            if name is None:
                continue
            finished[:, number] = reached & (name == "navigate")
            asks = used[:, number] & ~finished[:, number]
            asked = every if takes_all else asks.nonzero()[:, 0]
            at_work = (asks & (reached == (name == "pick")))[asked]
            begun = rows(group(name, carried), asked)
            had = choose(at_work, rows(group(name, state), asked), begun)
            action, new = self.policies[name].act(rows(obs, asked), had)
            actions[asked, number] = action["mean"]
            spread[asked, number] = action["spread"].clamp(min=LEAST_SPREAD)
            if limit := self.policies[name].limit:
                finished[asked, number] |= had["steps"] >= limit
                new["steps"] = had["steps"] + 1
            put(group(name, carried), asked, choose(at_work, new, begun))
        if arrived is not None:
            group("navigate", carried)[AT_GOAL].logical_or_(arrived)
        return Proposal(actions, finished, spread), carried

    def possible(
        self, obs: Tensors, memory: Tensors, options: list[Option], proposal: Proposal
    ) -> Tensor:
        """Both options are possible everywhere. The student learns where they are of use."""
        known = tuple(option.verb in VERBS for option in options)
        finished = proposal.finished
        return constant(known, torch.bool, finished.device).expand(len(finished), -1)

    def limit(self, option: Option) -> int:
        return LIMITS[VERBS[option.verb]]

    def choose(self, advice: Advice, obs: Tensors, generator: torch.Generator) -> Tensors:
        """The mode is the action of the likeliest plan."""
        weights, answered, still = advice.weights, advice.answered[:, None], waiting(obs, self.size)
        each = torch.arange(len(weights), device=weights.device)
        plan, best = drawn(weights + ~answered, generator), weights.argmax(1)
        assert advice.spread is not None
        action = advice.actions[each, plan]
        noise = torch.randn(action.shape, generator=generator).to(action.device)
        action = action + advice.spread[each, plan] * noise
        return {
            "action": torch.where(answered, action, still),
            "mode": torch.where(answered, advice.actions[each, best], still),
            "advised": (weights[..., None] * advice.actions).sum(1),
        }
