"""The tasks. Importing this package registers them with Gymnasium."""

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

from gymnasium.envs.registration import register

register(
    "MiniGrid-SimpleDoorKey-Min5-Max10-View3",
    "env.rooms:DoorKeyRoom",
    vector_entry_point="env.tensor_rooms:DoorKeyRooms",
)
register(
    "MiniGrid-ColoredDoorKey-Min5-Max10-View3",
    "env.rooms:ColoredDoorKeyRoom",
    vector_entry_point="env.tensor_rooms:ColoredDoorKeyRooms",
)
register(
    "MiniGrid-LavaDoorKey-Min5-Max10-View3",
    "env.rooms:LavaDoorKeyRoom",
    vector_entry_point="env.tensor_rooms:LavaDoorKeyRooms",
)
register(
    "MiniGrid-TwoDoor-Min20-Max20",
    "env.rooms:TwoDoorRoom",
    vector_entry_point="env.tensor_rooms:TwoDoorRooms",
    kwargs={"grid_size": 20, "min_size": 20, "max_size": 20},
)
register("MiniGrid-KeyInBox-Min5-Max10-View3", "env.rooms:KeyInBoxRoom")
register("MiniGrid-RandomBoxKey-Min5-Max10-View3", "env.rooms:RandomBoxKeyRoom")
register("MiniGrid-DynamicDoorKey-Min5-Max10-View3", "env.rooms:DynamicDoorKeyRoom")
register(
    "MiniGrid-MisledLavaCrossing-S9N2",
    "env.misled_crossing:MisledCrossing",
    kwargs={"size": 9, "num_crossings": 2},
)
register(
    "MiniGrid-FaultySwitch-S9N4",
    "env.dark_crossing:DarkCrossing",
    kwargs={"size": 9, "num_crossings": 4, "works": 0.5, "stays": False},
)
register(
    "MiniGrid-SwitchOnce-S9N4",
    "env.dark_crossing:DarkCrossing",
    kwargs={"size": 9, "num_crossings": 4},
)
register("MiniGrid-PoisonedDoors", "env.poisoned_doors:PoisonedDoors")
register("NavPick", vector_entry_point="env.nav_pick.tensor_homes:NavPickHomes")
