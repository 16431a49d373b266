"""What habitat-lab needs beside itself, made up: a robot with the joints of a Fetch, homes of ours
as scenes, a cube on the table, and the dataset that leads to them."""

import gzip
import json
from pathlib import Path

import numpy as np
import torch

from env.nav_pick.homes import Home, draw_homes
from env.nav_pick.homes import describe as describe_home
from env.nav_pick.stage import to_scene
from tests.stages import write_cube, write_stage

# Number of a joint's link as habitat-lab's FetchRobot has it -> kind, parent, place, axis, range.
# The rest are small plates on the torso; the arm is that of a Fetch, rounded to centimetres.
TORSO = 6
JOINTS = {
    2: ("continuous", "base_link", (0, 0.19, 0.06), "0 1 0", (0, 0)),
    4: ("continuous", "base_link", (0, -0.19, 0.06), "0 1 0", (0, 0)),
    TORSO: ("prismatic", "base_link", (-0.09, 0, 0.38), "0 0 1", (0, 0.4)),
    8: ("revolute", "link_06", (0.05, 0, 0.6), "0 0 1", (-1.57, 1.57)),
    9: ("revolute", "link_08", (0.14, 0, 0.06), "0 1 0", (-0.76, 1.58)),
    15: ("revolute", "link_06", (0.12, 0, 0.35), "0 0 1", (-1.6, 1.6)),
    16: ("revolute", "link_15", (0.12, 0, 0.06), "0 1 0", (-1.22, 1.52)),
    17: ("continuous", "link_16", (0.22, 0, 0), "1 0 0", (0, 0)),
    18: ("revolute", "link_17", (0.13, 0, 0), "0 1 0", (-2.25, 2.25)),
    19: ("continuous", "link_18", (0.2, 0, 0), "1 0 0", (0, 0)),
    20: ("revolute", "link_19", (0.12, 0, 0), "0 1 0", (-2.18, 2.18)),
    21: ("continuous", "link_20", (0.14, 0, 0), "1 0 0", (0, 0)),
    22: ("fixed", "link_21", (0.08, 0, 0), "1 0 0", (0, 0)),
    23: ("prismatic", "link_22", (0.08, 0, 0), "1 0 0", (0, 0.001)),
}
PLATE = ("fixed", "link_06", (0, 0, 0.1), "1 0 0", (0, 0))
ON_BASE = ("fixed", "base_link", (0, 0, 0.1), "1 0 0", (0, 0))

PLAY = """# @package _global_
defaults:
  - /benchmark/rearrange/play: play
  - /habitat/task/lab_sensors: [target_start_sensor, is_holding_sensor, end_effector_sensor]
  - _self_
habitat:
  task:
    actions:
      base_velocity: {lin_speed: 6.0, ang_speed: 18.8495559}
      arm_action:
        arm_controller: ArmHandAction
        grip_controller: MagicGraspAction
        ee_ctrl_lim: 0.05
        delta_pos_limit: 0.2
  simulator:
    ac_freq_ratio: 12
    concur_render: false
    habitat_sim_v0: {allow_sliding: true}
"""
"""habitat-lab's play, with what we need of sensors, and our speeds."""


def write_robot(path: Path) -> None:
    """Everything weighs a little, and nothing but the arm can be touched."""
    links = [_link("base_link", 1.0)]
    joints = []
    for number in range(24):
        default = ON_BASE if number < TORSO else PLATE
        kind, parent, place, axis, (low, high) = JOINTS.get(number, default)
        links.append(_link(f"link_{number:02}", 0.2, touches=number >= 15))
        # Scenes have y up, a robot's own numbers z.
        rpy = "-1.5707963 0 0" if parent == "base_link" else "0 0 0"
        x, y, z = place
        if parent == "base_link":
            y, z = z, -y
        limit = f'<limit lower="{low}" upper="{high}" effort="1000" velocity="10"/>'
        joints.append(
            f'<joint name="joint_{number:02}" type="{kind}"><parent link="{parent}"/>'
            f'<child link="link_{number:02}"/><origin xyz="{x} {y} {z}" rpy="{rpy}"/>'
            f'<axis xyz="{axis}"/>{limit}</joint>'
        )
    path.write_text(f'<robot name="made_up">{"".join(links + joints)}</robot>')


def _link(name: str, mass: float, touches: bool = False) -> str:
    box = '<geometry><box size="0.04 0.04 0.04"/></geometry>'
    collision = f"<collision>{box}</collision>" if touches else ""
    return (
        f'<link name="{name}"><inertial><mass value="{mass}"/>'
        '<inertia ixx="0.001" iyy="0.001" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial>'
        f"<visual>{box}</visual>{collision}</link>"
    )


def write_world(folder: Path, seeds: tuple[int, ...] = (0, 1)) -> list[Home]:
    """A scene and an episode a seed, in both splits, the robot, and the cube."""
    homes = draw_homes(torch.tensor(seeds), layouts=0)
    described = [describe_home(homes, i) for i in range(len(seeds))]
    write_robot(folder / "robot.urdf")
    write_cube(described[0].object_size, folder / "cube.glb")
    cube = {"render_asset": "cube.glb", "mass": 0.1}
    (folder / "cube.object_config.json").write_text(json.dumps(cube))
    episodes = []
    for i, home in enumerate(described):
        place = folder / f"home_{i}"
        place.mkdir()
        scene = write_stage(home, place)
        lies = np.eye(4)
        lies[:3, 3] = to_scene(np.array(home.object))
        episodes.append(
            {
                "episode_id": str(i),
                "scene_id": str(scene),
                "scene_dataset_config": "default",
                "additional_obj_config_paths": [],
                "start_position": [0, 0, 0],
                "start_rotation": [0, 0, 0, 1],
                "info": {"object_labels": {"cube_:0000": "any_targets|0"}},
                "ao_states": {},
                "rigid_objs": [["cube.object_config.json", lies.tolist()]],
                "targets": {"cube_:0000": lies.tolist()},
            }
        )
    for split in ("train", "val"):
        with gzip.open(folder / f"{split}.json.gz", "wt") as file:
            json.dump({"episodes": episodes}, file)
    return described


def write_config(folder: Path, base: Path) -> Path:
    """A configuration on top of another one, of ours or habitat-lab's, with the made-up world."""
    path = folder / f"made_up_{base.stem}.yaml"
    (folder / base.name).write_text(base.read_text())
    path.write_text(
        f"""# @package _global_
defaults: [{base.stem}, _self_]
habitat:
  task:
    min_start_distance: 1.0
  simulator:
    additional_object_paths: [{folder}]
    agents: {{main_agent: {{articulated_agent_urdf: {folder}/robot.urdf}}}}
  dataset:
    scenes_dir: {folder}
    data_path: {folder}/{{split}}.json.gz
"""
    )
    return path
