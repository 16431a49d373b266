"""Hierarchical RL: a student that chooses among options, each of which acts until it ends.

The actor holds an option from one choice to the next. `fold` turns its rollout of steps into a
rollout of choices, from which a learner learns as from any other. The choices form a semi-Markov
decision process (Sutton, Precup and Singh, 1999, section 3).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from algos.protocols import Actor, Choices
from algos.rollout import Rollout
from algos.student import AVAILABLE
from utils import devices
from utils.errors import UserError
from utils.tensors import Tensors, choose, constant, each, group, put, rows, under

NONE = -1
"""The option that is held before the first choice."""


@dataclass
class Hierarchical:
    """An actor whose `chooser`, a student, chooses among options.

    The chooser observes `available` (N, C), the options that it can choose. An option ends when it
    is finished or has become impossible, at its step limit, or when the scene has news.

    A step holds `action`, `mode`, `chosen` (N,) bool, whether an option was chosen, and `held` (N,)
    int64, the option at work. Under `choice` it holds the chooser's own step and `available`, with
    zeros where nothing was chosen.
    """

    chooser: Actor
    choices: Choices

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {
            **under("chooser", self.chooser.initial_state(count, device)),
            **under("memory", self.choices.forget(count, device)),
            **under("options", self.choices.initial_state(count, device)),
            "held": torch.full((count,), NONE, device=device),
            "time": torch.zeros(count, dtype=torch.int64, device=device),
        }

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        """One step of N episodes. Where an option has ended, the chooser chooses and that option
        begins anew. UserError if it chooses an option that is not available; on an accelerator
        `fold` finds that, so that the host need not wait at each step."""
        memory, news = self.choices.read(obs, group("memory", state))
        held, time = state["held"].clone(), state["time"] + 1
        asked = held[:, None] == torch.arange(len(self.choices.names), device=held.device)
        proposed, at_work = self.choices.propose(obs, memory, asked, group("options", state))
        in_time = time < constant(tuple(self.choices.limits), time.dtype, held.device)[held]
        goes_on = (asked & proposed["available"] & ~news).any(1) & in_time

        every = torch.arange(len(held), device=held.device)
        # To find out which options have ended, the host would wait for an accelerator.
        ended = every if devices.asynchronous(held.device) else (~goes_on).nonzero()[:, 0]
        begins = ~goes_on[ended]
        seen, everything = rows(obs, ended), torch.ones_like(asked[ended])
        idle = self.choices.initial_state(len(ended), held.device)
        offered, begun = self.choices.propose(seen, rows(memory, ended), everything, idle)
        seen[AVAILABLE] = offered["available"]
        own = each(torch.clone, group("chooser", state))
        choice, moved_on = self.chooser.act(seen, rows(own, ended), generator)
        chosen = choice["action"]
        if not devices.asynchronous(held.device):
            check_chosen(offered["available"], chosen)
        held[ended] = torch.where(begins, chosen, held[ended])
        time[ended] = torch.where(begins, 0, time[ended])
        for target, values in ((proposed, offered), (at_work, begun), (own, moved_on)):
            put(target, ended, choose(begins, values, rows(target, ended)))

        choice = {**choice, AVAILABLE: offered["available"]}
        noted = each(lambda values: values.new_zeros(len(held), *values.shape[1:]), choice)
        put(noted, ended, choose(begins, choice, rows(noted, ended)))
        action = mode = proposed["actions"][every, held]
        if "spread" in proposed:
            noise = torch.empty_like(mode).normal_(generator=generator)
            action = mode + proposed["spread"][every, held] * noise
        step = {"action": action, "mode": mode, "chosen": ~goes_on, "held": held}
        return {**step, **under("choice", noted)}, {
            **under("chooser", own),
            **under("memory", memory),
            **under("options", at_work),
            "held": held,
            "time": time,
        }


def check_chosen(available: Tensor, chosen: Tensor) -> None:
    """UserError if an option was chosen, (N,), that was not `available` (N, C)."""
    if not available.gather(1, chosen[:, None]).all():
        raise UserError(
            "the student chooses an option that is not there: it has diverged, and its outputs "
            "are not finite"
        )


def let_go(state: Tensors) -> Tensors:
    """The state of a hierarchical actor that has no option under way, so that it chooses with its
    next step; states of other actors stay as they are."""
    if "held" not in state:
        return state
    return {**state, "held": torch.full_like(state["held"], NONE)}


def values(steps: Tensors) -> Tensor | None:
    """(S,) float32: the critic's values. A step of a hierarchical actor has the value of its last
    choice. None for an actor without a critic."""
    if "chosen" not in steps:
        return steps.get("value")
    chosen = steps["chosen"]
    return group("choice", steps)["value"][chosen][chosen.long().cumsum(0) - 1]


def fold(rollout: Rollout, gamma: float) -> Rollout:
    """Turn a rollout of a hierarchical actor into one of its choices; others stay as they are.

    It keeps the steps at which an option was chosen. The choice is their `action`, and their reward
    is the discounted sum until the next choice. `duration` is the number of primitive steps until
    then. If an episode is cut off while an option runs, the critic takes its end for a new choice.
    Each segment must begin with a choice. UserError if a choice was not available.
    """
    if "chosen" not in rollout.steps:
        return rollout
    chosen = rollout.steps["chosen"]
    begun = chosen.nonzero()[:, 0]
    choice = chosen.long().cumsum(0) - 1
    duration = rollout.steps.get("duration", torch.ones_like(choice))
    before = duration.cumsum(0) - duration
    passed = before - before[begun][choice]
    reward = rollout.reward.double() * gamma ** passed.double()
    steps = rows(group("choice", rollout.steps), begun)
    check_chosen(steps[AVAILABLE], steps["action"])
    return replace(
        rollout,
        obs={**rows(rollout.obs, begun), AVAILABLE: steps.pop(AVAILABLE)},
        reward=reward.new_zeros(len(begun)).index_add_(0, choice, reward).float(),
        steps={**steps, "duration": torch.zeros_like(begun).index_add_(0, choice, duration)},
        lengths=torch.zeros_like(rollout.lengths).index_add_(0, rollout.segment, chosen.long()),
        last_state=group("chooser", rollout.last_state),
        before=_of_chooser(rollout.before),
    )


def _of_chooser(before: Tensors) -> Tensors:
    """What episodes had before their segments, with the chooser's state alone."""
    kept = {name: values for name, values in before.items() if not name.startswith("state/")}
    return {**kept, **under("state", group("state/chooser", before))}
