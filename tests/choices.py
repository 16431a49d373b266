"""The options of rooms to choose among, and who chooses by a script, for tests."""

from collections.abc import Sequence

import torch

from planner.room_scene import RoomReader
from teacher.choices import Choices
from teacher.room_options import RoomOptions, options_of
from utils.tensors import Tensors


def room_choices(**names: str) -> Choices:
    reader = RoomReader(names or {"key": "key", "door": "door"})
    return Choices(options_of(reader.kind), reader, RoomOptions(reader.number, view_size=3))


class Script:
    """Chooses what is written down for each of its turns."""

    def __init__(self, choices: Choices, words: Sequence[str]) -> None:
        self.numbers = torch.tensor([choices.names.index(each) for each in words])

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {"turn": torch.zeros(count, dtype=torch.int64)}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        action = self.numbers[state["turn"].clamp(max=len(self.numbers) - 1)]
        value = state["turn"].float()
        said = {"action": action, "mode": action, "value": value, "log_prob": -value}
        return said, {"turn": state["turn"] + 1}
