"""An action of habitat-lab that moves the hand of an arm."""

from typing import Any

import numpy as np
from gym import spaces
from habitat.core.registry import registry
from habitat.tasks.rearrange.actions.articulated_agent_action import ArticulatedAgentAction

from env.nav_pick.mapping import joint_moves

TURN = 0.01
"""Radians: the turn of a joint that measures how far the hand moves with it."""


@registry.register_task_action
class ArmHandAction(ArticulatedAgentAction):
    """Move the hand along the axes of the base, by at most `ee_ctrl_lim` metres along each.

    No joint turns by more than `delta_pos_limit` radians. habitat-lab's ArmEEAction does the same
    with a second model of the robot in pybullet; this action asks the robot in the simulator.
    """

    @property
    def action_space(self) -> Any:
        return spaces.Box(shape=(3,), low=-1, high=1, dtype=np.float32)

    def step(self, move: np.ndarray, *args: Any, **kwargs: Any) -> None:
        robot, most = self.cur_articulated_agent, self._config.delta_pos_limit
        targets = robot.arm_motor_pos
        low, high = (np.clip(end - targets, -most, most) for end in robot.arm_joint_limits)
        wanted = np.clip(move, -1, 1) * self._config.ee_ctrl_lim
        robot.arm_motor_pos = targets + joint_moves(self._jacobian(targets), wanted, low, high)

    def _jacobian(self, targets: np.ndarray) -> np.ndarray:
        """The hand's move in the base frame per radian of each joint at its target, (3, J)."""
        robot = self.cur_articulated_agent
        to_base = robot.base_transformation.inverted()
        joints, places = robot.sim_obj.joint_positions, []
        for turned in (targets, *(targets + TURN * np.eye(len(targets)))):
            tried = list(joints)
            for link, angle in zip(robot.params.arm_joints, turned, strict=True):
                tried[robot.joint_pos_indices[link]] = angle
            robot.sim_obj.joint_positions = tried
            places.append(np.array(to_base.transform_point(robot.ee_transform().translation)))
        robot.sim_obj.joint_positions = joints
        moved: np.ndarray = (np.array(places[1:]) - places[0]).T / TURN
        return moved
