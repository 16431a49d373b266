"""One rank of an update on a stored rollout."""

from typing import Any

import torch

from algos.ppo import PPO
from algos.rollout import Rollout
from algos.student import Student
from tests.algos.test_ppo import SETTINGS
from tests.students import advice_of, make_student
from utils.ranks import Ranks


def stored(episodes: range, steps: list[int], student: Student) -> tuple[Rollout, torch.Tensor]:
    """Some episodes of a made-up rollout, each from its own seed, and its labels."""
    parts, labels = [], []
    for episode in episodes:
        draws = torch.Generator().manual_seed(episode)
        count = steps[episode]
        image = torch.randint(0, 11, (count, 10, 10, 4), dtype=torch.uint8, generator=draws)
        obs, cpu = {"image": image}, image.device
        said, _ = student.act(obs, student.initial_state(count, cpu), draws)
        parts.append(
            Rollout(
                obs=obs,
                reward=torch.rand(count, generator=draws),
                steps={name: said[name] for name in ("action", "log_prob", "value", "mode")},
                lengths=torch.tensor([count]),
                terminated=torch.tensor([episode % 2 == 0]),
                truncated=torch.tensor([episode % 2 == 1]),
                success=torch.tensor([episode % 2 == 0]),
                last_obs={"image": image[:1]},
                last_state=student.initial_state(1, cpu),
            )
        )
        labels.append(torch.rand(count, 7, generator=draws).softmax(1))
    return Rollout.join(parts), torch.cat(labels)


def update(ranks: Ranks, batch: int, *steps: int) -> dict[str, Any]:
    """What a rank has after an update on episodes of so many steps."""
    student = make_student()
    rollout, labels = stored(ranks.share(len(steps)), [*steps], student)
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "batch_size": batch})
    ppo, draws = PPO(student, settings, ranks), torch.Generator().manual_seed(ranks.number)
    means = ppo.update(rollout, advice_of(labels), 2.0, 0.0, draws)
    return {"weights": student.state_dict(), "means": means}
