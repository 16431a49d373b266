"""Progress agrees with BabyAI's own verifier, step by step."""

import random

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.envs.babyai.core.verifier import ActionInstr, AfterInstr, Instr
from minigrid.utils.baby_ai_bot import BabyAIBot

from env.ids import world_ids
from env.symbols import DROP, FORWARD, LEFT, PICK_UP, RIGHT, TOGGLE
from env.worlds import World, make_world

BABYAI = [env_id for env_id in world_ids() if env_id.startswith("BabyAI")]
LONG = ["BossLevel", "SynthSeq", "SynthLoc", "GoToSeq", "MiniBossLevel", "MoveTwoAcrossS5N2"]


def level(env_id: str) -> tuple[str, ...]:
    """The class of an id's environment, and its switches that are on."""
    spec = gym.registry[env_id]
    return str(spec.entry_point), *(name for name, on in spec.kwargs.items() if on is True)


LEVELS = {level(env_id): env_id for env_id in BABYAI}
"""One id of each of BabyAI's levels. The others differ in numbers alone."""
ENDLESS = ["BabyAI-UnlockToUnlock-v0"]
"""Here BabyAI's bot may search without end."""
MOST_STEPS = 300


def verified(instruction: Instr, success: bool) -> list[bool]:
    """Which clauses BabyAI's verifier holds to be done, in the order of groups."""
    if isinstance(instruction, ActionInstr):
        return [success]
    first = verified(instruction.instr_a, success or instruction.a_done == "success")
    second = verified(instruction.instr_b, success or instruction.b_done == "success")
    return second + first if isinstance(instruction, AfterInstr) else first + second


def check_agreement(world: World, seed: int, share_of_random_actions: float) -> bool:
    """Play BabyAI's bot with a share of random actions. Returns whether it succeeded."""
    draw = random.Random(seed)
    world.reset(seed=seed)
    bot = BabyAIBot(world) if share_of_random_actions < 1 else None
    action = None
    for _ in range(MOST_STEPS):
        if bot:
            try:
                action = int(bot.replan(action))
            except Exception:
                # The bot gives up in some situations, such as when a box was opened.
                bot = None
        if not bot or draw.random() < share_of_random_actions:
            action = draw.choice([LEFT, RIGHT, FORWARD, FORWARD, FORWARD, PICK_UP, DROP, TOGGLE])
        observation, _, terminated, truncated, info = world.step(action)
        done = observation["done"][: len(world.progress.clauses)].astype(bool).tolist()
        assert done == verified(world.inner.instrs, info["success"]), world.inner.mission
        if terminated or truncated:
            return bool(info["success"])
    return False


@given(env_id=st.sampled_from(BABYAI), seed=st.integers(0, 2**31))
@settings(max_examples=60)
def test_progress_agrees_with_the_verifier_on_random_play(env_id: str, seed: int) -> None:
    check_agreement(make_world(env_id), seed, 1)


@pytest.mark.parametrize("env_id", [env_id for env_id in LEVELS.values() if env_id not in ENDLESS])
def test_progress_agrees_with_the_verifier_on_scripted_play(env_id: str) -> None:
    check_agreement(make_world(env_id), 1, 0.2)


@pytest.mark.parametrize("name", LONG)
def test_all_clauses_are_done_when_the_bot_succeeds(name: str) -> None:
    world = make_world(f"BabyAI-{name}-v0")
    assert any(check_agreement(world, seed, 0) for seed in range(8))
