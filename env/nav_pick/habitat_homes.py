"""The homes of Nav & Pick in habitat-sim (0.3.3 or 0.3.4, with Bullet), one per process.

Layouts, starts, rewards and everything else come from the tensor homes. The simulator adds four
parts: walls and furniture as static boxes, a navigation mesh for the base, the depth camera, and
the object as a rigid body that falls when the hand releases it. No file is written.
"""

import math
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

# habitat-sim and Magnum read these when they are imported.
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
from env.nav_pick.habitat_version import check_habitat_sim
from env.nav_pick.robot_state import SECONDS
from env.nav_pick.stage import solids, to_home, to_scene
from env.nav_pick.tensor_homes import HALF, NavPickHomes
from utils.tensors import Tensors

CELL = 0.01
"""Metres: the side of a voxel of the navigation mesh. The mesh's borders are this inexact."""
MESHES = 32
"""The number of layouts whose navigation meshes are kept."""
CONTACT = 0.005
"""Metres: a contact is a step that ends farther than this, or than half of its length, from where
the command leads."""
ROBOT_HEIGHT = 1.2
STEP = 0.04
"""Metres: the highest thing that the base can roll over."""
MASS = 0.2
"""Kilograms: the mass of the object."""
CUBE = Path(__file__).with_name("cube.gltf")
"""A cube from -1 to 1 along each axis. It is unlit: habitat-sim's own cube is shaded physically,
which takes twelve seconds to prepare without a GPU and changes no depth."""

check_habitat_sim(habitat_sim.__version__, habitat_sim.built_with_bullet)


def make_home(**settings: Any) -> Episode:
    """One home as an episode; `settings` are those of `NavPickHomes`."""
    return Episode(HabitatHome(**settings))


class HabitatHome(gym.Env[dict[str, np.ndarray], np.ndarray]):
    """A single home as a Gymnasium environment. The package explains its numbers, which lack the
    first dimension here."""

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
        """The camera's view, and a map."""
        return self.homes.pictures()

    def drawing(self) -> Drawing:
        """A drawing of the home from above, with the camera's view."""
        return self.homes.drawing()

    def close(self) -> None:
        self.homes.close()


def _first(obs: Tensors) -> dict[str, np.ndarray]:
    return {name: value[0].numpy() for name, value in obs.items()}


class SimulatedHomes(NavPickHomes):
    """One home, with a simulator for the base, the camera and the object."""

    capturable = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(1, **settings)
        self._simulator: habitat_sim.Simulator | None = None
        self._thing: ManagedBulletRigidObject | None = None
        self._mesh: habitat_sim.PathFinder | None = None
        self._meshes: OrderedDict[bytes, habitat_sim.PathFinder] = OrderedDict()

    def close_extras(self, **kwargs: Any) -> None:
        if self._simulator:
            self._simulator.close()

    def _furnish(self) -> None:
        """Put the boxes of the home and the object into the simulator."""
        if self._simulator is None:
            self._simulator = habitat_sim.Simulator(self._configuration())
        self._simulator.get_rigid_object_manager().remove_all_objects()
        for low, high in solids(self.home(0)):
            self._add_box((low + high) / 2, (high - low) / 2).motion_type = MotionType.STATIC
        self._mesh = self._navigation_mesh()
        self._thing = self._add_box(self._now["object"][0].numpy(), np.full(3, HALF))
        # A resting body does not move: a tenth of a millimetre can decide whether a hand is near.
        self._thing.awake = False

    def _add_box(self, middle: np.ndarray, half: np.ndarray) -> ManagedBulletRigidObject:
        """Add a box of the home, with its `middle` (3,) and `half` its sides (3,)."""
        assert self._simulator
        templates = self._simulator.get_object_template_manager()
        template = templates.create_new_template(str(CUBE))
        template.bounding_box_collisions = True
        template.scale = mn.Vector3(*map(float, np.abs(to_scene(half))))
        template.margin = 0
        template.mass = MASS
        number = templates.register_template(template, "box")
        box = self._simulator.get_rigid_object_manager().add_object_by_template_id(number)
        box.translation = _point(middle)
        return box

    def _navigation_mesh(self) -> habitat_sim.PathFinder:
        """Where the base can be in this layout, from the kept meshes or a new one."""
        assert self._simulator
        layout = self._home["boxes"].numpy().tobytes()
        if layout not in self._meshes:
            mesh = habitat_sim.PathFinder()
            built = self._simulator.recompute_navmesh(mesh, navigation())
            assert built, "a home has a floor"
            self._meshes[layout] = mesh
        self._meshes.move_to_end(layout)
        if len(self._meshes) > MESHES:
            self._meshes.popitem(last=False)
        return self._meshes[layout]

    def _configuration(self) -> habitat_sim.Configuration:
        backend = habitat_sim.SimulatorConfiguration()
        backend.scene_id = "NONE"
        backend.enable_physics = True
        # The renderer's first device; any other number ends a process that has no CUDA.
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
        assert self._mesh
        now = self._now
        start = torch.cat([now["position"], torch.zeros(1, 1)], 1)
        told = torch.cat([now["position"] + command, torch.zeros(1, 1)], 1)
        end = self._mesh.try_step(_point(start[0].numpy()), _point(told[0].numpy()))
        place = torch.from_numpy(to_home(np.array(end)))[None, :2].float()
        missed, length = place - told[:, :2], command.square().sum(1).sqrt()
        contact = missed.square().sum(1).sqrt() > (length / 2).clamp(max=CONTACT)
        # A resting base stays exactly where it is, even off the mesh.
        moves = command.any(1, keepdim=True)
        return torch.where(moves, place - now["position"], 0.0), contact & moves[:, 0]

    def _move_object(self, place: Tensor, holds: Tensor) -> Tensor:
        thing = self._thing
        assert self._simulator
        assert thing
        if holds:
            thing.motion_type = MotionType.KINEMATIC
            thing.translation = _point(place[0].numpy())
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
        node.translation = _point(torch.cat([position[0], torch.zeros(1)]).numpy())
        # Without a rotation, the camera looks along the home's y.
        node.rotation = mn.Quaternion.rotation(mn.Rad(heading - math.pi / 2), mn.Vector3.y_axis())
        depth = torch.from_numpy(self._simulator.get_sensor_observations()["depth"])
        return (depth.float().clamp(max=FAR) / FAR)[None, ..., None]


def navigation() -> habitat_sim.NavMeshSettings:
    """The settings of a home's navigation mesh."""
    settings = habitat_sim.NavMeshSettings()
    settings.set_defaults()
    settings.cell_size = settings.cell_height = CELL
    settings.agent_radius = robot.RADIUS
    settings.agent_height = ROBOT_HEIGHT
    settings.agent_max_climb = STEP
    settings.include_static_objects = True
    return settings


def _point(place: np.ndarray) -> mn.Vector3:
    """A place (3,) of a home in the scene."""
    return mn.Vector3(*map(float, to_scene(place)))
