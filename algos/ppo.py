"""PPO with a distillation term: min L_RL + k * H(teacher, student) (arXiv 2311.13373, 3)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from algos.advisor import HEAD_RATE, Imitator, shares
from algos.cuda_graphs import Graphed
from algos.protocols import Advice
from algos.rollout import Rollout, discounted_returns, generalized_advantages
from algos.student import Student
from utils.errors import UserError
from utils.ranks import Ranks, together
from utils.tensors import Tensors, group, rows, under

LEAST_MINIBATCHES = 2


@dataclass(frozen=True)
class PPOSettings:
    """Hyperparameters of the update.

    `lam` is used only with `gae`. `batch_size` counts the steps of all ranks together. With
    `anneal` the learning rate falls to 0 at the end of the run. `advisor_alpha` is explained in
    algos/advisor.py; with 0 all advice counts alike.
    """

    batch_size: int
    gamma: float
    lam: float
    gae: bool
    learning_rate: float
    anneal: bool
    epochs: int
    clip: float
    policy_coef: float
    value_coef: float
    entropy_coef: float
    max_grad_norm: float
    advisor_alpha: float


class PPO:
    """A learner with an Adam optimiser; `update` learns from one rollout.

    Ranks update together, each on its own rollout: gradients are averaged, and advantages are
    normalised over all ranks. On a GPU the losses and gradients of a minibatch are one CUDA graph.
    There is no graph if shapes change (whole episodes), or if there are several ranks.
    """

    def __init__(self, student: Student, settings: PPOSettings, ranks: Ranks) -> None:
        self.student = student
        self.settings = settings
        self.ranks = ranks
        self.batch_size = settings.batch_size // ranks.count
        self._prepare(Imitator(student) if settings.advisor_alpha else None)

    def trust(self) -> None:
        if self.imitator:
            self._prepare(None)

    def _prepare(self, imitator: Imitator | None) -> None:
        """What the updates need. Without an imitator all advice counts in full."""
        student, settings, ranks = self.student, self.settings, self.ranks
        device = next(student.parameters()).device
        self.imitator = imitator
        self.network: nn.Module = self.imitator or student
        self.parameters = list(self.network.parameters())
        if ranks.count > 1:
            with together():
                self.network = DistributedDataParallel(self.network)
        groups: list[dict[str, Any]] = [{"params": list(student.parameters())}]
        if self.imitator:
            groups.append({"params": list(self.imitator.head.parameters()), "rate": HEAD_RATE})
        self.optimizer = torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)
        steady = ranks.count == 1 and not student.spec.recurrent
        self.gradients = Graphed(self._gradients, device) if steady else self._gradients

    @property
    def least_steps(self) -> int:
        return LEAST_MINIBATCHES * self.batch_size

    def agreement(self, rollout: Rollout, advice: Advice) -> Tensor:
        mode, actions = rollout.steps["mode"], self.student.spec.actions
        return self.student.distribution.agrees(mode, advice, actions)

    def state(self) -> dict[str, Any]:
        state = {"weights": self.student.state_dict(), "optimizer": self.optimizer.state_dict()}
        return state | ({"imitator": self.imitator.head.state_dict()} if self.imitator else {})

    def restore(self, state: dict[str, Any], source: object) -> None:
        self.student.load(state["weights"], source)
        try:
            if self.imitator:
                self.imitator.head.load_state_dict(state["imitator"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (TypeError, ValueError, KeyError) as error:
            raise UserError(
                f"the optimizer's state in {source} does not fit; perhaps it is of an older version"
            ) from error

    def update(
        self,
        rollout: Rollout,
        advice: Advice | None,
        k: float,
        elapsed: float,
        generator: torch.Generator,
    ) -> dict[str, float]:
        """Some epochs of minibatches over a rollout and its advice.

        Without advice the distillation term is 0. `elapsed` is the share of the run that is done.
        `generator` is on the CPU. Returns losses, as means over all minibatches, and diagnostics.
        """
        rate = self.settings.learning_rate * (1 - elapsed * self.settings.anneal)
        for each in self.optimizer.param_groups:
            each["lr"] = rate * each.get("rate", 1)
        returns, advantages = self.targets(rollout)
        mean, variance = self._moments(advantages)
        advantages = (advantages - mean) / (variance.sqrt() + 1e-5)
        device = advantages.device
        advised = self.student.distribution.target(
            advice, len(rollout), self.student.spec.actions, device
        )
        steps = {
            **under("obs", rollout.obs),
            **under("advice", advised),
            "action": rollout.steps["action"],
            "old_log_prob": rollout.steps["log_prob"],
            "old_value": rollout.steps["value"],
            "target": returns,
            "advantage": advantages,
        }
        weight = torch.full((), k, device=device)
        records = []
        for _ in range(self.settings.epochs):
            for index, segments in self._minibatches(rollout, generator):
                record = self.gradients({**rows(steps, index), **segments, "k": weight})
                self.optimizer.step()
                records.append(torch.stack(list(record.values())))
        minibatches = self.ranks.sum(torch.stack(records)) / self.ranks.count
        means = dict(zip(record, minibatches.mean(0).tolist(), strict=True))
        largest = dict(zip(record, minibatches.amax(0).tolist(), strict=True))
        teacher_pull, reward_pull = (
            means.pop(f"{who}_pull") ** 0.5 for who in ("teacher", "reward")
        )
        # Numbers of steps, as minibatches of a recurrent student differ in length.
        advised_steps, followed = (means.pop(name, 0.0) for name in ("advised", "followed"))
        if advised_steps:
            means["advice_followed"] = followed / advised_steps
        unexplained = self._moments(returns - rollout.steps["value"])[1]
        explained = 1 - unexplained / (self._moments(returns)[1] + 1e-8)
        return {
            **means,
            "largest_kl": largest["approx_kl"],
            "teacher_share": teacher_pull / max(teacher_pull + reward_pull, 1e-12),
            "explained_variance": float(explained),
            "weight_norm": float(nn.utils.get_total_norm(self.student.parameters())),
        }

    def _moments(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the unbiased variance over all ranks' numbers, two float32 scalars."""
        if self.ranks.count == 1:
            return numbers.mean(), numbers.var()
        count = numbers.new_full((), len(numbers), dtype=torch.float64)
        count, total = self.ranks.sum(torch.stack([count, numbers.double().sum()]))
        squares = self.ranks.sum((numbers.double() - total / count).square().sum())
        return (total / count).float(), (squares / (count - 1)).float()

    def targets(self, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """Targets of the critic, and advantages, (S,) float32 each."""
        last = self.student.value(rollout.last_obs, rollout.last_state)
        last = torch.where(rollout.terminated, 0.0, last)
        values, settings = rollout.steps["value"], self.settings
        if settings.gae:
            advantages = generalized_advantages(rollout, last, settings.gamma, settings.lam)
            return advantages + values, advantages
        returns = discounted_returns(rollout, last, settings.gamma)
        return returns, returns - values

    def _minibatches(
        self, rollout: Rollout, generator: torch.Generator
    ) -> list[tuple[Tensor, Tensors]]:
        """The minibatches of one epoch: indices of steps (M,), and the `lengths` of their segments
        with the `state` before them, if the rollout has it.

        For a recurrent student a minibatch gets whole segments in random order until it has more
        than `batch_size` steps; the last minibatch may be small. A feed-forward student learns from
        steps in random order, and an incomplete minibatch is dropped. Each rank uses as many
        minibatches as the rank with the fewest.
        """
        device, size = rollout.lengths.device, self.batch_size
        if not self.student.spec.recurrent:
            order = torch.randperm(len(rollout), generator=generator).to(device)
            whole = order[: len(order) // size * size].split(size)
            batches = [(index, {"lengths": torch.ones_like(index)}) for index in whole]
            return batches[: self.ranks.least(len(batches))]
        batches = []
        segments = {"lengths": rollout.lengths, **under("state", group("state", rollout.before))}
        ends, lengths = rollout.ends.tolist(), rollout.lengths.tolist()
        chosen: list[int] = []
        count = 0
        order = torch.randperm(len(ends), generator=generator)
        for place, segment in enumerate(order.tolist(), start=1):
            chosen.append(segment)
            count += lengths[segment]
            if count > size or place == len(ends):
                steps = [torch.arange(ends[e] - lengths[e], ends[e]) for e in chosen]
                batches.append((torch.cat(steps).to(device), rows(segments, torch.tensor(chosen))))
                chosen, count = [], 0
        return batches[: self.ranks.least(len(batches))]

    def _gradients(self, batch: Tensors) -> Tensors:
        """Compute the clipped gradients of a minibatch of M steps.

        Returns its losses and diagnostics, scalars. The gradient's norm is that before clipping.
        A pull is the squared norm of a term's gradient at the policy's outputs.
        """
        settings, clip = self.settings, self.settings.clip
        obs, state = group("obs", batch), group("state", batch)
        outputs, value, *imitated = self.network(obs, batch["lengths"], state)
        distribution = self.student.distribution(outputs)
        log_ratio = distribution.log_prob(batch["action"]) - batch["old_log_prob"]
        ratio = log_ratio.exp()

        advantage, target, old_value = batch["advantage"], batch["target"], batch["old_value"]
        policy = -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
        clipped = old_value + (value - old_value).clamp(-clip, clip)
        critic = torch.max((value - target).square(), (clipped - target).square()).mean()
        entropy = distribution.entropy().mean()
        advice, diagnostics = group("advice", batch), Tensors()
        cross_entropy = distribution.cross_entropy(advice)
        for logits in imitated:
            counts = shares(settings.advisor_alpha, advice["probabilities"], logits)
            advised = advice["probabilities"].any(1)
            diagnostics["advised"] = advised.float().sum()
            diagnostics["followed"] = (counts * advised).sum()
            cross_entropy = counts * cross_entropy
        distillation = cross_entropy.mean()
        reward = settings.policy_coef * policy - settings.entropy_coef * entropy
        loss = settings.policy_coef * policy + settings.value_coef * critic
        loss = loss - settings.entropy_coef * entropy + batch["k"] * distillation
        for logits in imitated:
            loss = loss + self.student.distribution(logits).cross_entropy(advice).mean()
        reward_pull = _pull(reward, outputs)
        teacher_pull = _pull(batch["k"] * distillation, outputs)
        self.optimizer.zero_grad()
        with together():
            loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, settings.max_grad_norm)
        record = {
            "loss": loss,
            "entropy": entropy,
            "distillation": distillation,
            "policy": policy,
            "value": critic,
            "approx_kl": (ratio - 1 - log_ratio).mean(),
            "clip_fraction": ((ratio - 1).abs() > clip).float().mean(),
            "gradient_norm": norm,
            "teacher_pull": teacher_pull,
            "reward_pull": reward_pull,
            **diagnostics,
        }
        return {name: number.detach() for name, number in record.items()}


def _pull(loss: Tensor, outputs: Tensor) -> Tensor:
    """The squared norm of a loss's gradient at the policy's outputs."""
    (gradient,) = torch.autograd.grad(loss, [outputs], retain_graph=True)
    return gradient.square().sum()
