"""Nav & Pick in habitat-lab: a Fetch robot in ReplicaCAD, or what its configuration names instead.

habitat-lab supplies the scene, the robot, its sensors and its physics. The task, its rewards and
its measures are the package's, and `mapping` converts the numbers. The first of habitat-lab's
targets is the object. Checked with habitat-lab 0.3.3.
"""

import os

# habitat-sim and Magnum read these when they are imported.
os.environ.setdefault("MAGNUM_LOG", "quiet")
os.environ.setdefault("HABITAT_SIM_LOG", "quiet")

from typing import Any

import gymnasium as gym
import habitat
import habitat_sim
import numpy as np
import torch
from habitat.tasks.rearrange.utils import is_pb_installed

from env.episode import Episode
from env.nav_pick.arm_hand_action import ArmHandAction
from env.nav_pick.downloads import check_downloads
from env.nav_pick.habitat_version import check_habitat_sim
from env.nav_pick.mapping import Controls, Pose, to_privileged, to_state
from env.nav_pick.pictures import SCALE, floor_picture, view_picture
from env.nav_pick.rewards import LIFT, Rewards, chosen
from env.nav_pick.robot_state import is_faced, is_near
from env.nav_pick.stage import to_home
from env.spec import Spec
from utils.errors import UserError

ACTIONS = "arm_action", "base_velocity"
CAMERA = "head_depth_sensor"
SENSORS = "joint_sensor", "target_start_sensor", "is_holding_sensor", "end_effector_sensor"
"""The parts that a configuration must have."""
OBJECT_SIZE = 0.06
"""Metres: the side of the object in pictures."""
BY_HAND, PYBULLET = ArmHandAction.__name__, "ArmEEAction"
SHORT = 0.002
"""Metres: a contact is a step that is shorter than its command by more than this."""
OTHER_SPLIT = "val"
"""The split of a dataset in which no run trains."""

check_habitat_sim(habitat_sim.__version__, habitat_sim.built_with_bullet)


class Rearrangement(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """One robot in habitat-lab's scenes. The seed chooses the episode of the dataset and the start.

    The package and `mapping` explain actions, observations, rewards and measures.
    """

    def __init__(
        self,
        config: Any,
        controls: Controls,
        described: Spec,
        max_collisions: int,
        rewards: Rewards,
        subtask: str | None,
    ) -> None:
        self.config = config.habitat
        self.inner, self.controls = habitat.Env(config), controls
        self.observation_space: Any = described.observation
        self.action_space = described.action
        self.max_steps, self.max_collisions = described.max_steps, max_collisions
        self.rewards, self.subtask = rewards, subtask
        self.episodes = list(self.inner.episodes)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        inner = self.inner
        draws = int(self.np_random.integers(2**31))
        inner.current_episode = self.episodes[self.np_random.integers(len(self.episodes))]
        # Building a navigation mesh consumes random numbers, so the seed is set after the scene.
        inner.reconfigure(self.config)
        inner.seed(draws)
        # Keep the task from choosing among the episode's targets.
        if self.config.task.type == "NavToObjTask-v0":
            inner.task.set_args(obj=0)
        obs = inner.reset()
        sim = inner.sim
        self.object = sim.scene_obj_ids[sim.get_targets()[0][inner.task.targ_idx]]
        self.lay = np.array(sim.get_target_objs_start()[inner.task.targ_idx])
        self.goal = sim.safe_snap_point(self.lay)
        self.steps, self.collisions, self.path_length, self.contact = 0, 0, 0.0, False
        self.trail = [self._pose().place]
        seen = self.seen = self._observe(obs)
        self.shortest = self.distance
        return seen, {}

    def step(
        self, action: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        before, place = self.remaining, self._pose().place
        obs = self.inner.step({"action": ACTIONS, "action_args": self.controls.commands(action)})
        self.steps += 1
        moved = float(np.linalg.norm(self._pose().place - place))
        self.contact = moved < self.controls.metres(action) - SHORT
        self.collisions += self.contact
        self.path_length += moved
        self.trail.append(self._pose().place)
        seen = self.seen = self._observe(obs)
        success, weights = self._has_succeeded(seen["state"]), self.rewards
        reward = before - self.remaining + weights.success * success
        reward -= weights.contact * self.contact + weights.time
        over = success or self.collisions >= self.max_collisions or self.inner.episode_over
        shortest = max(self.shortest, 1e-6)
        measures = {
            "collisions": self.collisions,
            "path_length": self.path_length,
            "spl": success * shortest / max(shortest, self.path_length),
            "clean_success": success and not self.collisions,
        }
        said = {"success": success, "measures": measures}
        return seen, reward, over, self.steps >= self.max_steps, said

    def pictures(self) -> dict[str, np.ndarray]:
        """The camera's view, and the robot's trail on the navigation mesh."""
        pose, pathfinder = self._pose(), self.inner.sim.pathfinder
        free = pathfinder.get_topdown_view(1 / SCALE, float(pose.base[1, 3]))
        left, _, back = pathfinder.get_bounds()[0]
        low = to_home(np.array([left, 0, back + len(free) / SCALE]))[:2]
        now = {
            "position": torch.tensor(pose.place),
            "heading": torch.tensor(pose.heading),
            "contact": torch.tensor(self.contact),
            "hand": torch.tensor(to_home(pose.hand[:3, 3])),
            "object": torch.tensor(to_home(self._object())),
        }
        trail = torch.tensor(np.array(self.trail))
        return {
            "depth": view_picture(torch.from_numpy(self.seen["depth"])),
            "map": floor_picture(free, low, OBJECT_SIZE, now, trail),
        }

    def close(self) -> None:
        self.inner.close()

    def _has_succeeded(self, state: np.ndarray) -> bool:
        if self.subtask == "navigate":
            known = torch.from_numpy(state)[None]
            return bool(is_near(known) & is_faced(known))
        return self._lift() <= 0 and self._holds()

    def _holds(self) -> bool:
        return bool(self.inner.sim.grasp_mgr.snap_idx == self.object)

    def _lift(self) -> float:
        """Metres that the object must still be lifted, negative if none."""
        return float(self.lay[1] + LIFT - self._object()[1])

    def _object(self) -> np.ndarray:
        """The object's place (3,) in the scene."""
        thing = self.inner.sim.get_rigid_object_manager().get_object_by_id(self.object)
        return np.array(thing.translation)

    def _pose(self) -> Pose:
        robot = self.inner.sim.articulated_agent
        return Pose(np.array(robot.base_transformation), np.array(robot.ee_transform()))

    def _observe(self, obs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The observation. Also updates the shortest path and the reward that remains."""
        pose, start = self._pose(), np.asarray(obs["obj_start_sensor"]).reshape(-1, 3)
        start = start[self.inner.task.targ_idx]
        way = habitat_sim.ShortestPath()
        way.requested_start, way.requested_end = pose.base[:3, 3], self.goal
        found = self.inner.sim.pathfinder.find_path(way)
        corners = way.points if found else [self.goal]
        straight = float(np.linalg.norm((self.goal - pose.base[:3, 3])[[0, 2]]))
        self.distance = float(way.geodesic_distance) if found else straight
        apart = float(np.linalg.norm(self._object() - pose.hand[:3, 3]))
        path, hand, lift, holding = (
            torch.tensor([number])
            for number in (self.distance, apart, max(self._lift(), 0.0), self._holds())
        )
        self.remaining = float(self.rewards.remaining(path, hand, lift, holding.bool()))
        flags = (float(obs["is_holding"][0]), self.contact, 1 - self.steps / self.max_steps)
        joints, own = (obs["joint"], start) if self.controls.joints else np.empty((2, 0))
        return {
            "depth": np.asarray(obs["head_depth"], np.float32),
            "state": to_state(pose, obs["ee_pos"], start, flags, joints),
            "privileged": to_privileged(pose, corners, self.distance, own),
        }


def describe(habitat_config: str, depth_size: int, max_steps: int) -> Spec:
    """The spaces and step limit of a configuration. UserError if it cannot be used."""
    return _controls(_compose(habitat_config), habitat_config).describe(depth_size, max_steps)


def make_home(
    habitat_config: str,
    unseen: bool = False,
    depth_size: int = 64,
    max_steps: int = 300,
    max_collisions: int = 50,
    rewards: Rewards | None = None,
    sparse: bool = False,
    subtask: str | None = None,
) -> Episode:
    """A robot with the scenes and episodes of a configuration; other settings as `NavPickHomes`.

    `unseen` takes the dataset's other split. UserError if the configuration cannot be used or if
    files that it names are missing.
    """
    config = _compose(habitat_config)
    controls = _controls(config, habitat_config)
    with habitat.config.read_write(config):
        simulator, task = config.habitat.simulator, config.habitat.task
        # Without CUDA, any other number ends the process.
        if not (habitat_sim.cuda_enabled and torch.cuda.is_available()):
            simulator.habitat_sim_v0.gpu_device_id = -1
        camera = simulator.agents[simulator.agents_order[0]].sim_sensors[CAMERA]
        camera.width = camera.height = depth_size
        # The package's rules end episodes.
        config.habitat.environment.max_episode_steps = 0
        if unseen:
            config.habitat.dataset.split = OTHER_SPLIT
        if subtask == "pick":
            task.type = "RearrangePickTask-v0"
    check_downloads(_named(config), habitat_config)
    described = controls.describe(depth_size, max_steps)
    weights = chosen(rewards, sparse, subtask)
    return Episode(Rearrangement(config, controls, described, max_collisions, weights, subtask))


def _compose(path: str) -> Any:
    """Load a configuration and everything it is based on. UserError if that fails."""
    try:
        return habitat.get_config(path)
    except Exception as error:  # hydra, omegaconf and YAML raise errors of their own.
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a configuration of habitat-lab: {reason}") from error


def _controls(config: Any, path: str) -> Controls:
    """The controls of a configuration. UserError if it lacks a part or its arm cannot be moved."""
    task, simulator = config.habitat.task, config.habitat.simulator
    cameras = simulator.agents[simulator.agents_order[0]].sim_sensors
    for names, there in ((ACTIONS, task.actions), (SENSORS, task.lab_sensors), ([CAMERA], cameras)):
        if missing := [name for name in names if name not in there]:
            raise UserError(f"{path} lacks {' and '.join(missing)}")
    arm, base = task.actions.arm_action, task.actions.base_velocity
    if arm.arm_controller == PYBULLET and not is_pb_installed():
        raise UserError(
            f"{path}: {PYBULLET} needs pybullet; arm_controller: {BY_HAND} does the same without"
        )
    by_hand = arm.arm_controller in (BY_HAND, PYBULLET)
    return Controls(
        forward=base.lin_speed / simulator.ctrl_freq,
        turn=base.ang_speed / simulator.ctrl_freq,
        hand=arm.ee_ctrl_lim,
        joints=0 if by_hand else arm.arm_joint_dimensionality,
    )


def _named(config: Any) -> list[str]:
    """The paths of all files and folders that a configuration needs."""
    simulator, data = config.habitat.simulator, config.habitat.dataset
    robot = simulator.agents[simulator.agents_order[0]].articulated_agent_urdf
    episodes = data.data_path.format(split=data.split)
    return [data.scenes_dir, episodes, *simulator.additional_object_paths, robot]
