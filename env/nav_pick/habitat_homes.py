"""The homes of Nav & Pick in habitat-sim (0.3.3 or later, with Bullet), one a process.

All that makes an episode, from what is drawn to what a step is worth, is that of the homes as
tensors. The simulator's own are the walls and furniture, loaded as a mesh; where the base can go
on its navigation mesh; what the depth camera sees; and the object, a rigid body that falls when it
is let go.
"""

import math
import os
import tempfile
from pathlib import Path
from typing import Any

# Read when it is loaded, by each part on its own.
os.environ.setdefault("MAGNUM_LOG", "quiet")
os.environ.setdefault("HABITAT_SIM_LOG", "quiet")

import gymnasium as gym
import habitat_sim
import magnum as mn
import numpy as np
import torch
from habitat_sim.physics import ManagedBulletRigidObject, MotionType
from torch import Tensor

from env.drawing import Drawing
from env.episode import Episode
from env.nav_pick import robot
from env.nav_pick.camera import FAR, PITCH, WIDE
from env.nav_pick.robot_state import SECONDS
from env.nav_pick.stage import to_home, to_scene, write_cube, write_stage
from env.nav_pick.tensor_homes import HALF, NavPickHomes
from utils.tensors import Tensors

CELL = 0.02
"""Metres: the side of a voxel of the navigation mesh, whose borders are thus a little off."""
CONTACT = 0.005
"""Metres: the base has run into something if it ends farther from where it was told to go, or
farther than half of what it was told to go."""
ROBOT_HEIGHT = 1.2
STEP = 0.04
"""Metres: the highest thing that the base rolls over."""
MASS = 0.2
"""Kilograms, of the object."""


def make_home(**settings: Any) -> Episode:
    """One home, as the adapters for many need it; `settings` are those of `NavPickHomes`."""
    return Episode(HabitatHome(**settings))


class HabitatHome(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """A single home as a Gymnasium environment: observations, actions, units and frames as the
    package says, without the first dimension."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, **settings: Any) -> None:
        self.homes = SimulatedHomes(**settings)
        self.observation_space = self.homes.single_observation_space
        self.action_space = self.homes.single_action_space
        self.max_steps = self.homes.max_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        own = int(self.np_random.integers(2**63)) if seed is None else seed
        obs, _ = self.homes.reset(seed=[own])
        return _first(obs), {}

    def step(
        self, action: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        told = torch.as_tensor(action, dtype=torch.float32)[None]
        obs, reward, terminated, truncated, info = self.homes.step(told)
        measures = {name: float(value) for name, value in info["measures"].items()}
        said = {"success": bool(info["success"]), "measures": measures}
        return _first(obs), float(reward), bool(terminated), bool(truncated), said

    def pictures(self) -> dict[str, np.ndarray]:
        """What the camera sees, and a map."""
        return self.homes.pictures()

    def drawing(self) -> Drawing:
        """The home from above, and what the camera sees."""
        return self.homes.drawing()

    def close(self) -> None:
        self.homes.close()


def _first(obs: Tensors) -> dict[str, np.ndarray]:
    return {name: value[0].numpy() for name, value in obs.items()}


class SimulatedHomes(NavPickHomes):
    """One home, with a simulator for what the base, the camera and the object do."""

    capturable = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(1, **settings)
        self._files = tempfile.TemporaryDirectory(prefix="home-")
        self._simulator: habitat_sim.Simulator | None = None
        self._thing: ManagedBulletRigidObject | None = None

    def close_extras(self, **kwargs: Any) -> None:
        if self._simulator:
            self._simulator.close()
        self._files.cleanup()

    def _furnish(self) -> None:
        """Load the home that was drawn, with the object on its table."""
        folder = Path(self._files.name)
        cube = folder / "cube.glb"
        write_cube(2 * HALF, cube)
        stage = write_stage(self.home(0), folder)
        if self._simulator:
            self._simulator.close()
        self._simulator = simulator = habitat_sim.Simulator(self._configuration(stage))
        navigable = simulator.recompute_navmesh(simulator.pathfinder, navigation())
        assert navigable, "a home has a floor"

        templates = simulator.get_object_template_manager()
        template = templates.create_new_template(str(cube))
        template.bounding_box_collisions = True
        template.margin = 0
        template.mass = MASS
        number = templates.register_template(template)
        self._thing = simulator.get_rigid_object_manager().add_object_by_template_id(number)
        self._thing.translation = _point(self._now["object"][0])
        # As it lies: a tenth of a millimetre decides whether a hand is near enough.
        self._thing.awake = False

    def _configuration(self, stage: Path) -> habitat_sim.Configuration:
        backend = habitat_sim.SimulatorConfiguration()
        backend.scene_id = str(stage)
        backend.enable_physics = True
        # The renderer's first device: any other kills a process that has no CUDA.
        backend.gpu_device_id = -1
        camera = habitat_sim.CameraSensorSpec()
        camera.uuid = "depth"
        camera.sensor_type = habitat_sim.SensorType.DEPTH
        camera.resolution = mn.Vector2i(self._camera.size)
        camera.hfov = mn.Rad(WIDE)
        camera.position = mn.Vector3(0, robot.CAMERA_HEIGHT, 0)
        camera.orientation = mn.Vector3(-PITCH, 0, 0)
        body = habitat_sim.AgentConfiguration()
        body.sensor_specifications = [camera]
        return habitat_sim.Configuration(backend, [body])

    def _move_base(self, command: Tensor) -> tuple[Tensor, Tensor]:
        assert self._simulator
        now = self._now
        start = torch.cat([now["position"], torch.zeros(1, 1)], 1)
        told = torch.cat([now["position"] + command, torch.zeros(1, 1)], 1)
        end = self._simulator.pathfinder.try_step(_point(start[0]), _point(told[0]))
        place = torch.from_numpy(to_home(np.array(end)))[None, :2].float()
        missed, length = place - told[:, :2], command.square().sum(1).sqrt()
        contact = missed.square().sum(1).sqrt() > (length / 2).clamp(max=CONTACT)
        # Who rests is told nothing, and is not to be set right either.
        moves = command.any(1, keepdim=True)
        return torch.where(moves, place - now["position"], 0.0), contact & moves[:, 0]

    def _move_object(self, place: Tensor, holds: Tensor) -> Tensor:
        thing = self._thing
        assert self._simulator
        assert thing
        if holds:
            thing.motion_type = MotionType.KINEMATIC
            thing.translation = _point(place[0])
        elif thing.motion_type == MotionType.KINEMATIC:
            thing.motion_type = MotionType.DYNAMIC
        self._simulator.step_physics(SECONDS)
        if holds:
            return place
        return torch.from_numpy(to_home(np.array(thing.translation)))[None].float()

    def _depth(self, which: slice = slice(None)) -> Tensor:
        assert self._simulator
        node = self._simulator.get_agent(0).scene_node
        position, heading = self._now["position"], float(self._now["heading"])
        node.translation = _point(torch.cat([position[0], torch.zeros(1)]))
        # At rest a body looks along the home's y.
        node.rotation = mn.Quaternion.rotation(mn.Rad(heading - math.pi / 2), mn.Vector3.y_axis())
        depth = torch.from_numpy(self._simulator.get_sensor_observations()["depth"])
        return (depth.float().clamp(max=FAR) / FAR)[None, ..., None]


def navigation() -> habitat_sim.NavMeshSettings:
    """How the navigation mesh of a home is made."""
    settings = habitat_sim.NavMeshSettings()
    settings.set_defaults()
    settings.cell_size = settings.cell_height = CELL
    settings.agent_radius = robot.RADIUS
    settings.agent_height = ROBOT_HEIGHT
    settings.agent_max_climb = STEP
    return settings


def _point(place: Tensor) -> mn.Vector3:
    """A place (3,) of a home in the scene."""
    return mn.Vector3(*map(float, to_scene(place.numpy())))
