"""The ids of MiniGrid's and BabyAI's environments, and what is wrong with one that cannot be used.

MiniGrid is imported when an id is looked up: most commands need none. PyTorch is not needed.
"""

import difflib
import importlib
import re
from importlib.metadata import version
from pathlib import Path
from traceback import extract_tb

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from env.spec import MAX_SIDE
from utils.errors import UserError

FAMILIES = re.compile(r"(MiniGrid|BabyAI)-\w", re.IGNORECASE)
VERSION = re.compile(r"-v\d*$")
LEFT_OUT = {
    "MiniGrid-WFC-": "minigrid's package lacks the pictures from which its layouts are made",
    "MiniGrid-Dynamic-Obstacles-": "its obstacles move, so a remembered map would be wrong",
    "MiniGrid-Playground-": "it has no goal",
}
"""Why ids that begin so are left out."""
MOST_NEAREST = 3


def world_ids() -> list[str]:
    """The ids of MiniGrid's and BabyAI's environments that are not left out."""
    return [env_id for env_id in _of_minigrid() if not _left_out(env_id)]


def check_id(name: str) -> str:
    """The id of a name, as it is registered. UserError if there is none, or if it cannot be used.

    `module:Id-v0` imports the module, which must register the id.
    """
    found = find_spec(name)
    if found.id not in _of_minigrid():
        _check_fits(found)
    return name if ":" in name else found.id


def find_spec(name: str) -> EnvSpec:
    """The registration of an id, in any case. UserError if there is none, or if it is left out."""
    module, _, env_id = name.rpartition(":")
    if module:
        if module.endswith(".py"):
            raise UserError(f"{name}: name the module, not its file: {module[:-3]}:{env_id}")
        try:
            importlib.import_module(module)
        except Exception as error:
            raise UserError(f"cannot import the module of {name}: {_line(error)}") from error
    known = {each.lower(): each for each in (*gym.registry, *_of_minigrid())}
    env_id = known.get(env_id.lower(), env_id)
    if reason := _left_out(env_id):
        raise UserError(f"{env_id} is left out, because {reason}")
    if env_id not in gym.registry:
        raise UserError(_unknown_of(module, env_id) if module else _unknown(env_id))
    return gym.registry[env_id]


def _of_minigrid() -> list[str]:
    import minigrid  # noqa: F401  (registers its ids)

    return sorted(
        each.id
        for each in gym.registry.values()
        if FAMILIES.match(each.id) and str(each.entry_point).startswith("minigrid.")
    )


def _left_out(env_id: str) -> str | None:
    return next((why for start, why in LEFT_OUT.items() if env_id.startswith(start)), None)


def _unknown(env_id: str) -> str:
    name = VERSION.sub("", env_id).lower()
    if versions := [each for each in _of_minigrid() if VERSION.sub("", each).lower() == name]:
        return f"minigrid {version('minigrid')} has no {env_id}; use {' or '.join(versions)}"
    known = {each.lower(): each for each in world_ids()}
    near = [each for each in known if name and name in each][:MOST_NEAREST]
    near = near or difflib.get_close_matches(env_id.lower(), known, MOST_NEAREST)
    names = ", ".join(known[each] for each in near)
    advice = f"the nearest are {names}" if near else "docs/results/worlds.csv lists all"
    return f"there is no environment {env_id}; {advice}"


def _unknown_of(module: str, env_id: str) -> str:
    registered = sorted(each.id for each in gym.registry.values() if _module(each) == module)
    names = ", ".join(registered) or "none"
    return f"there is no environment {env_id}; {module} registers {names}"


def _module(spec: EnvSpec) -> str:
    """The module of an environment's class or function."""
    entry = spec.entry_point
    return entry.partition(":")[0] if isinstance(entry, str) else getattr(entry, "__module__", "")


def _why(error: Exception) -> str:
    """An error in code of a user's own, and its place."""
    frame = extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return f"{place}: {type(error).__name__}: {_line(error)}"


def _check_fits(found: EnvSpec) -> None:
    """UserError unless it is a MiniGridEnv with MiniGrid's observations and actions, a mission that
    is known, and a map that is not too large."""
    from minigrid.minigrid_env import MiniGridEnv

    from env.missions import parse, to_numbers

    try:
        env = gym.make(found, disable_env_checker=True)
    except Exception as error:
        raise UserError(f"cannot make the environment {found.id}: {_line(error)}") from error
    try:
        inner = env.unwrapped
        if not isinstance(inner, MiniGridEnv):
            raise UserError(
                f"{found.id} is no MiniGrid environment (it observes "
                f"{_line(env.observation_space)}); "
                "it must be a subclass of minigrid.minigrid_env.MiniGridEnv"
            )
        if env.observation_space != inner.observation_space:
            raise UserError(
                f"a wrapper of {found.id} changes what it observes; register it without that one"
            )
        if max(inner.width, inner.height) > MAX_SIDE:
            raise UserError(
                f"{found.id} has {inner.width}x{inner.height} cells; "
                f"it must have at most {MAX_SIDE}x{MAX_SIDE}"
            )
        if env.action_space != gym.spaces.Discrete(len(inner.actions)):
            raise UserError(
                f"{found.id} has the actions {env.action_space}; "
                f"it must have MiniGrid's {len(inner.actions)} actions"
            )
        try:
            inner.reset(seed=0)
        except Exception as error:
            raise UserError(f"cannot reset the environment {found.id}: {_why(error)}") from error
        to_numbers(inner.mission)
        parse(inner.mission)
    finally:
        env.close()


def _line(text: object) -> str:
    return " ".join(str(text).split())
