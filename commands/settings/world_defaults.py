"""The settings of MiniGrid and BabyAI tasks that no other place sets."""

from functools import cache
from math import ceil
from typing import Any

from planner.task import Task

NUM_ENVS, ROLLOUT_STEPS = 32, 128
LEAST_STEPS, EPISODES = 1_000_000, 2000
"""A run has the steps of so many of the longest episodes, and at least `LEAST_STEPS`."""


def world_defaults(task: Task) -> dict[str, Any]:
    """The network and the length of a run; nothing for tasks of other kinds."""
    if task.domain.kind != "world":
        return {}
    steps = max(LEAST_STEPS, EPISODES * most_steps(task.env_id))
    iterations = ceil(steps / (NUM_ENVS * ROLLOUT_STEPS))
    return {
        "network": "window",
        "num_envs": NUM_ENVS,
        "rollout_steps": ROLLOUT_STEPS,
        "n_itr": iterations,
        "kl_until": iterations // 2,
    }


@cache
def most_steps(env_id: str) -> int:
    """The most steps of an episode."""
    # Here, because most commands do not need MiniGrid, which takes a quarter of a second to load.
    from env.worlds import make_world

    environment = make_world(env_id)
    environment.close()
    return environment.max_steps
