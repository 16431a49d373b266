import numpy as np
import pytest
import torch

from env.worlds import make_world
from planner.room_scene import NOWHERE
from planner.world_scene import WorldReader
from tests.planner.plain_world_reader import Plain

IDS = [
    "BabyAI-BossLevel-v0",
    "BabyAI-MiniBossLevel-v0",
    "BabyAI-SynthLoc-v0",
    "BabyAI-UnblockPickup-v0",
    "BabyAI-Unlock-v0",
    "BabyAI-UnlockToUnlock-v0",
    "BabyAI-KeyInBox-v0",
    "BabyAI-PutNextS5N2Carrying-v0",
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-LavaCrossingS9N1-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-ObstructedMaze-2Dlhb-v1",
    "MiniGrid-RedBlueDoors-6x6-v0",
]
LIKELY = [0.15, 0.15, 0.4, 0.1, 0.05, 0.15, 0]


def played(env_id: str, steps: int) -> dict[str, np.ndarray]:
    """What an agent sees that acts at random."""
    world, random = make_world(env_id), np.random.default_rng(0)
    seen, over = [], True
    for step in range(steps):
        if over:
            observation, _ = world.reset(seed=step)
        seen.append(observation)
        observation, _, ended, cut, _ = world.step(int(random.choice(7, p=LIKELY)))
        over = ended or cut or step % 50 == 49
    return {name: np.stack([each[name] for each in seen]) for name in seen[0]}


@pytest.mark.parametrize("env_id", IDS)
def test_a_batch_is_read_like_each_observation_by_itself(env_id: str) -> None:
    rows = played(env_id, 300)
    reader = WorldReader()
    batch = {name: torch.from_numpy(values) for name, values in rows.items()}
    scenes = reader.read(batch, {})
    height = rows["image"].shape[2]
    for step in range(len(rows["image"])):
        text, cells = Plain({name: values[step] for name, values in rows.items()}).read()
        assert scenes.distinct[scenes.index[step]] == text
        found = {
            name: divmod(int(cell), height)
            for name, cell in zip(
                reader.vocabulary, scenes.memory["cells"][step].tolist(), strict=True
            )
            if cell != NOWHERE
        }
        assert found == cells
