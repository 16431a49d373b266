"""The ids of MiniGrid and BabyAI environments, and what is wrong with an id that cannot be used.

PyTorch is not needed here, so that a typo is answered at once.
"""

import difflib
import importlib
import re
from importlib.metadata import version

import gymnasium as gym
import minigrid  # noqa: F401  (registers its ids)
from gymnasium.envs.registration import EnvSpec
from minigrid.minigrid_env import MiniGridEnv

from env.symbols import ACTIONS
from env.worlds import Memory, World
from utils.errors import UserError

FAMILIES = "MiniGrid-", "BabyAI-"
LEFT_OUT = {
    "MiniGrid-WFC-": "minigrid's package lacks the pictures from which its layouts are made",
    "MiniGrid-Dynamic-Obstacles-": "its obstacles move, so a remembered map would be wrong",
    "MiniGrid-Playground-": "it has no goal",
}
"""Why ids that begin so are left out."""
MOST_SUGGESTIONS = 3


def world_ids() -> list[str]:
    """The ids of MiniGrid's and BabyAI's environments that are not left out."""
    return [found for found in _of_minigrid() if not _left_out(found)]


def find_world(env_id: str) -> EnvSpec:
    """The registration of an id. UserError if there is none, or if the id is left out.

    `module:Id-v0` imports the module first, which must register the id.
    """
    module, _, name = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        found = gym.spec(name)
    except ImportError as error:
        raise UserError(f"cannot import the module of {env_id}: {error}") from error
    except gym.error.Error:
        raise UserError(_unknown(name)) from None
    if reason := _left_out(name):
        raise UserError(f"{name} is left out, because {reason}")
    return found


def check_world(env_id: str) -> EnvSpec:
    """`find_world`, and a UserError if another package's environment does not fit."""
    found = find_world(env_id)
    if found.id not in _of_minigrid():
        _check_fits(found)
    return found


def make_world(env_id: str, memory: Memory = "map", render: bool = False) -> World:
    """The environment of an id behind `World`. With `render`, pictures can be taken of it."""
    mode = "rgb_array" if render else None
    return World(gym.make(find_world(env_id), render_mode=mode, disable_env_checker=True), memory)


def _of_minigrid() -> list[str]:
    return sorted(
        each.id
        for each in gym.registry.values()
        if each.id.startswith(FAMILIES) and str(each.entry_point).startswith("minigrid.")
    )


def _left_out(env_id: str) -> str | None:
    return next((why for start, why in LEFT_OUT.items() if env_id.startswith(start)), None)


def _unknown(env_id: str) -> str:
    name = re.sub(r"-v\d*$", "", env_id)
    versions = [found for found in _of_minigrid() if re.sub(r"-v\d+$", "", found) == name]
    if versions:
        return f"minigrid {version('minigrid')} has no {env_id}; use {' or '.join(versions)}"
    known = {found.lower(): found for found in world_ids()}
    near = [found for found in known if name and name.lower() in found][:MOST_SUGGESTIONS]
    near = near or difflib.get_close_matches(env_id.lower(), known, MOST_SUGGESTIONS)
    names = ", ".join(known[found] for found in near)
    advice = f"the nearest are {names}" if near else "main.py list names the tasks"
    return f"there is no environment {env_id}; {advice}"


def _check_fits(found: EnvSpec) -> None:
    """UserError unless it is a MiniGridEnv with MiniGrid's actions and a mission that is known."""
    try:
        env = gym.make(found, disable_env_checker=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot make the environment {found.id}: {reason}") from error
    try:
        if not isinstance(env.unwrapped, MiniGridEnv):
            observed = " ".join(str(env.observation_space).split())
            raise UserError(
                f"{found.id} is no MiniGrid environment (it observes {observed}); "
                "it must be a subclass of minigrid.minigrid_env.MiniGridEnv"
            )
        if env.action_space != gym.spaces.Discrete(len(ACTIONS)):
            raise UserError(
                f"{found.id} has the actions {env.action_space}; "
                f"it must have MiniGrid's {len(ACTIONS)} actions"
            )
        World(env).reset(seed=0)
    finally:
        env.close()
