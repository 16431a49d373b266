"""Collects rollouts of segments: episodes go on from one rollout to the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from algos.protocols import Actor, Environments
from algos.rollout import Rollout
from utils import seeding
from utils.ranks import Ranks
from utils.tensors import Tensors, choose, each, group, join, move, rows, under
from utils.timing import Stopwatch


@dataclass
class Segments:
    """A collector that plays a number of steps in each environment, and then goes on from there.

    It plays `steps` in each environment, and again until this rank has enough for its learner:
    `least_steps` in `fold(rollout)`. `environments` are this rank's share of `total`. `cut` makes
    the state with which an actor goes on after a segment. `seed` is the run's.

    The n-th episode of an environment has a seed of its own. So its episodes do not depend on where
    rollouts cut them.

    Nothing else may use the environments, and they must depend on nothing but their seeds and
    actions: a resumed run repeats the actions of the episodes that were cut.
    """

    environments: Environments
    actor: Actor
    fold: Callable[[Rollout], Rollout]
    cut: Callable[[Tensors], Tensors]
    device: torch.device
    seed: int
    total: int
    steps: int
    least_steps: int
    ranks: Ranks

    def __post_init__(self) -> None:
        number = self.environments.num_envs
        everywhere = torch.ones(number, dtype=torch.bool)
        self.fresh = self._fresh(1)
        self.before = self._fresh(number)
        """What each environment's episode has had so far, as in a rollout."""
        self.episode = torch.zeros(number, dtype=torch.int64)
        """How many episodes each environment has had before this one."""
        self.actions: list[Tensor] = []
        """The last actions, (N, *A) each, since the longest of the episodes began."""
        self.obs = move(self._reset(everywhere), self.device)

    def collect(self, iteration: int, generator: torch.Generator, watch: Stopwatch) -> Rollout:
        """The next steps of all environments; `watch` times the phases `environment` and
        `policy`."""
        rollouts, steps = list[Rollout](), 0
        while not rollouts or steps < self.least_steps:
            rollouts.append(self._play(generator, watch))
            steps += len(self.fold(rollouts[-1]))
        return Rollout.join(rollouts)

    def _play(self, generator: torch.Generator, watch: Stopwatch) -> Rollout:
        """`steps` steps of all environments, those of each environment in a row."""
        record, obs, state = _Record(), self.obs, group("state", self.before)
        for left in reversed(range(self.steps)):
            with watch("policy"):
                step, state = self.actor.act(obs, state, generator)
            with watch("environment"):
                seen, reward, terminated, truncated, info = self.environments.step(step["action"])
                ended = (terminated | truncated).cpu()
                outcome = {"reward": reward, "terminated": terminated, "truncated": truncated}
                outcome |= {name: info[name] for name in ("success", "duration") if name in info}
                record.steps.append({**under("obs", obs), **step, **move(outcome, self.device)})
                record.end(ended if left else torch.ones_like(ended), seen, state, info)
                if ended.any():
                    self.episode = self.episode + ended
                    seen = self._reset(ended)
                    state = choose(ended.to(self.device), group("state", self.fresh), state)
                obs = move(seen, self.device)
        rollout, self.obs = record.rollout(self.before, self.fresh), obs
        self._remember(rollout, [step["action"].cpu() for step in record.steps])
        return rollout

    def _remember(self, rollout: Rollout, actions: list[Tensor]) -> None:
        """Note what is needed of the episodes that go on."""
        last = rollout.ends % self.steps == 0
        state = self.cut(rollout.last_state)
        now = _so_far(rollout.returns, rollout.episode_lengths, rollout.success, state)
        self.before = choose(~rollout.ended[last], rows(now, last), self.fresh)
        # One action at least: other ranks need its shape.
        longest = max(int(self.before["length"].max()), 1)
        self.actions = (self.actions + actions)[-longest:]

    def state(self) -> Tensors:
        """What a resumed run needs, of the environments of all ranks; all ranks must call this."""
        longest = -self.ranks.least(-len(self.actions))
        actions = torch.zeros(self.environments.num_envs, 0)
        if self.actions:
            known = torch.stack(self.actions, 1)
            earlier = known.new_zeros(len(known), longest - known.shape[1], *known.shape[2:])
            actions = torch.cat([earlier, known], 1)
        own = {"episode": self.episode, "actions": actions, **under("before", self.before)}
        return each(lambda rows: self.ranks.join(rows, self.total), own)

    def restore(self, state: Tensors) -> None:
        """Go on from a state; ValueError if it is of other environments or of another actor."""
        share = self.ranks.share(self.total)
        own = each(lambda rows: rows[share.start : share.stop], state)
        before = group("before", own)
        shapes = [{name: each.shape for name, each in of.items()} for of in (before, self.before)]
        if shapes[0] != shapes[1] or before["length"].max() > own["actions"].shape[1]:
            raise ValueError("a state of other environments, or of another actor")
        self.episode, self.before = own["episode"], move(before, self.device)
        self.actions = list(own["actions"].unbind(1))
        self.obs = move(self._replay(), self.device)

    def _replay(self) -> Tensors:
        """Begin all episodes anew and repeat their actions. An episode begins once no more actions
        are left than it has had; what its environment does before has no effect."""
        lengths, total = self.before["length"].cpu(), len(self.actions)
        obs = self._reset(torch.ones_like(lengths, dtype=torch.bool))
        for played, action in enumerate(self.actions):
            if (begins := lengths == total - played).any():
                self._reset(begins)
            obs, *_ = self.environments.step(action)
        if (begins := lengths == 0).any():
            obs = self._reset(begins)
        return obs

    def _reset(self, where: Tensor) -> Tensors:
        """Begin the present episodes of these environments; returns all observations."""
        first, seeds = self.ranks.share(self.total).start, torch.zeros_like(self.episode)
        for i in where.nonzero()[:, 0].tolist():
            seeds[i] = seeding.episode_seed(self.seed, first + i, int(self.episode[i]))
        return self.environments.reset(seed=seeds, options={"reset_mask": where})[0]

    def _fresh(self, number: int) -> Tensors:
        """What episodes have had before their first step."""
        zeros = torch.zeros(number, device=self.device)
        state = self.actor.initial_state(number, self.device)
        return _so_far(zeros, zeros.long(), zeros.bool(), state)


def _so_far(returns: Tensor, lengths: Tensor, success: Tensor, state: Tensors) -> Tensors:
    return {"return": returns, "length": lengths, "success": success, **under("state", state)}


@dataclass
class _Record:
    """The parts of a rollout of T steps in N environments.

    `steps` and `ends` have an entry for each time step. `ends` (N,) bool says which environments
    end a segment with it. The other lists have an entry for each time step that ends one.
    """

    steps: list[Tensors] = field(default_factory=list)
    ends: list[Tensor] = field(default_factory=list)
    place: list[Tensor] = field(default_factory=list)
    last_obs: list[Tensors] = field(default_factory=list)
    last_state: list[Tensors] = field(default_factory=list)
    measures: list[Tensors] = field(default_factory=list)

    def end(self, where: Tensor, obs: Tensors, state: Tensors, info: dict[str, Any]) -> None:
        """End the segments of some environments (N,) bool with the step that was just played;
        `obs` and `state` are those after it."""
        self.ends.append(where)
        if not where.any():
            return
        index = where.nonzero()[:, 0]
        self.place.append(index)
        self.last_obs.append(rows(obs, index))
        self.last_state.append(rows(state, index))
        self.measures.append(rows(info.get("measures", {}), index))

    def rollout(self, before: Tensors, fresh: Tensors) -> Rollout:
        """`before` (N, ...) is what the first segment of each environment had before, and `fresh`
        (1, ...) what the others had."""
        steps = each(lambda *values: torch.stack(values, 1).flatten(0, 1), *self.steps)
        obs, reward, device = group("obs", steps), steps.pop("reward"), before["length"].device
        place, time = (part.to(device) for part in torch.stack(self.ends, 1).nonzero(as_tuple=True))
        last = place * len(self.ends) + time
        first = place.diff(prepend=place.new_tensor([-1])) > 0
        successes = steps.pop("success").cumsum(0)[last].diff(prepend=last.new_zeros(1))
        before = choose(first, rows(before, place), fresh)
        order = torch.cat(self.place).argsort(stable=True)
        kept = ("terminated", "truncated", *under("obs", obs))
        return Rollout(
            obs=obs,
            reward=reward,
            steps={name: values for name, values in steps.items() if name not in kept},
            lengths=last.diff(prepend=last.new_tensor([-1])),
            terminated=steps["terminated"][last],
            truncated=steps["truncated"][last],
            success=before.pop("success") | (successes > 0),
            last_obs=move(rows(join(self.last_obs), order), device),
            last_state=rows(join(self.last_state), order),
            measures=move(rows(self._measured(), order), device),
            before=before,
        )

    def _measured(self) -> Tensors:
        """The measures at each segment's end; 0 if the environment did not name one then."""
        ends = list(zip(self.measures, self.place, strict=True))
        return {
            name: torch.cat([named.get(name, torch.zeros(len(place))) for named, place in ends])
            for name in dict.fromkeys(name for named in self.measures for name in named)
        }
