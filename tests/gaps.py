"""The tasks on which imitating misleads, and their teacher."""

from planner.rules import RulesPlanner
from planner.task import load_task
from planner.world_scene import WorldReader
from teacher.teacher import PlanTeacher
from teacher.world_options import WorldOptions

TASKS = ("MisledLavaCrossing", "FaultySwitch", "SwitchOnce", "PoisonedDoors")
IDS = {name: load_task(name).env_id for name in TASKS}


def teacher(sees_everything: bool) -> PlanTeacher:
    reader = WorldReader()
    options = WorldOptions(reader.number)
    return PlanTeacher(RulesPlanner(), reader, options, sees_everything=sees_everything)
