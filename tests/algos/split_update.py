"""One rank of an update on a stored rollout."""

from typing import Any

import torch

from algos.ppo import PPO
from algos.rollout import Rollout
from algos.student import NetworkSpec, Student
from tests.algos.test_ppo import SETTINGS
from utils.ranks import Ranks


def stored(episodes: range, steps: list[int], student: Student) -> tuple[Rollout, torch.Tensor]:
    """Some episodes of a made-up rollout, each from its own seed, and its labels."""
    parts, labels = [], []
    for episode in episodes:
        draws = torch.Generator().manual_seed(episode)
        count = steps[episode]
        obs = torch.randint(0, 11, (count, 10, 10, 4), dtype=torch.uint8, generator=draws)
        said, _ = student.act(obs, student.initial_state(count, obs.device), draws)
        parts.append(
            Rollout(
                obs=obs,
                reward=torch.rand(count, generator=draws),
                steps={name: said[name] for name in ("action", "log_prob", "value", "greedy")},
                lengths=torch.tensor([count]),
                terminated=torch.tensor([episode % 2 == 0]),
                last_obs=obs[:1],
                last_state=student.initial_state(1, obs.device),
            )
        )
        labels.append(torch.rand(count, 7, generator=draws).softmax(1))
    return Rollout.join(parts), torch.cat(labels)


def update(ranks: Ranks, batch: int, *steps: int) -> dict[str, Any]:
    """What a rank has after an update on episodes of so many steps."""
    torch.manual_seed(0)
    student = Student(NetworkSpec(10, 10, 4, 7))
    rollout, labels = stored(ranks.share(len(steps)), [*steps], student)
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "batch_size": batch})
    ppo = PPO(student, settings, ranks)
    means = ppo.update(rollout, labels, 2.0, 0.0, torch.Generator().manual_seed(ranks.number))
    return {"weights": student.state_dict(), "means": means}
