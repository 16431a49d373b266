"""SimpleDoorKey in the smallest rooms and in short episodes, registered with Gymnasium.

What a run says, keeps and resumes does not depend on how long an episode is; what the tests of
that wait for is mostly untrained students, who play every episode to its end.
"""

from pathlib import Path

from gymnasium.envs.registration import register

TASK = str(Path(__file__).with_name("small_rooms.yaml"))
"""Bears SimpleDoorKey's name, so that commands that name no task find its runs."""

register(
    "SmallDoorKey",
    "env.rooms:DoorKeyRoom",
    vector_entry_point="env.tensor_rooms:DoorKeyRooms",
    kwargs={"min_size": 4, "max_size": 4, "max_steps": 16},
)
