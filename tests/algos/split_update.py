"""One rank of an update on a stored rollout; run by torchrun, or alone.

torchrun --nproc_per_node=2 -m tests.algos.split_update OUT EPISODES STEPS BATCH
"""

import sys
from pathlib import Path

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
                success=torch.tensor([episode % 2 == 0]),
                last_obs={"image": image[:1]},
                last_state=student.initial_state(1, cpu),
            )
        )
        labels.append(torch.rand(count, 7, generator=draws).softmax(1))
    return Rollout.join(parts), torch.cat(labels)


def main() -> None:
    out, batch = Path(sys.argv[1]), int(sys.argv[2])
    steps = [int(count) for count in sys.argv[3:]]
    torch.set_num_threads(1)
    student = make_student()
    ranks = Ranks()
    rollout, labels = stored(ranks.share(len(steps)), steps, student)
    settings = SETTINGS.__class__(**{**vars(SETTINGS), "batch_size": batch})
    ppo = PPO(student, settings, ranks)
    means = ppo.update(
        rollout, advice_of(labels), 2.0, 0.0, torch.Generator().manual_seed(ranks.number)
    )
    torch.save({"weights": student.state_dict(), "means": means}, out / f"{ranks.number}.pt")


if __name__ == "__main__":
    main()
