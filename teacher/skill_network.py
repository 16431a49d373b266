"""Networks of habitat-baselines' skills, and how to load their checkpoints safely.

The network (their configuration `rl_skill`) has a ResNet-18 on depth, an LSTM and a Gaussian head.
Checked against habitat-baselines 0.3.3.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from utils.errors import UserError
from utils.tensors import Tensors

WIDTH, HIDDEN, OF_ACTION, LAYERS = 32, 512, 32, 2
"""Channels of the trunk's first layer; sizes of the LSTM and of the last action's embedding; layers
of the LSTM."""
LOG_STD = -5.0, 2.0
"""Bounds of the logarithm of the spread."""
DICTIONARY = "collections.defaultdict"
CONFIGURATION = re.compile(
    rf"(omegaconf|habitat|habitat_baselines|typing)\.[\w.]+|{re.escape(DICTIONARY)}"
    r"|builtins\.(dict|list|tuple|str|int|float|bool|Ellipsis|getattr)|_?operator\.getitem"
)
"""Names of the classes in a checkpoint's configuration. None of them is ever imported."""


class Nothing:
    """Stands for each object of a configuration: takes any arguments and does nothing."""

    def __new__(cls, *parts: object) -> "Nothing":
        return super().__new__(cls)

    def __init__(self, *parts: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def empty(*parts: object) -> dict[object, object]:
    """Stands for a `defaultdict` of a configuration, which the checkpoint then fills."""
    return {}


class SkillSpec(NamedTuple):
    """Sizes of a skill: `depth` pixels across and down, `known` numbers, `actions` numbers."""

    depth: int
    known: int
    actions: int


class Skill(nn.Module):
    """A policy: depth (N, H, H, 1) in [0, 1], numbers (N, K) and its last action (N, A) -> action.

    The action is a Gaussian: its mean in [-1, 1] and its spread, (N, A) each.
    The state is `lstm` (N, 2, 2, 512) and the last `action` (N, A), zeros at the start. `trunk`
    is a ResNet-18 for one channel whose first layer has `WIDTH` channels.
    """

    def __init__(self, spec: SkillSpec, trunk: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = trunk
        side = last_map_width(spec.depth)
        channels = round(2048 / side**2)
        self.compression = nn.Sequential(
            nn.Conv2d(8 * WIDTH, channels, 3, padding=1, bias=False),
            nn.GroupNorm(1, channels),
            nn.ReLU(),
        )
        self.seen = nn.Sequential(nn.Flatten(), nn.Linear(channels * side**2, HIDDEN), nn.ReLU())
        self.before = nn.Linear(spec.actions, OF_ACTION)
        self.lstm = nn.LSTM(HIDDEN + spec.known + OF_ACTION, HIDDEN, LAYERS)
        self.actor = nn.Linear(HIDDEN, spec.actions)
        self.log_std = nn.Parameter(torch.zeros(spec.actions))

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {
            "lstm": torch.zeros(count, 2, LAYERS, HIDDEN, device=device),
            "action": torch.zeros(count, self.spec.actions, device=device),
        }

    @torch.no_grad()
    def forward(self, depth: Tensor, known: Tensor, state: Tensors) -> tuple[Tensors, Tensors]:
        """One step of N episodes: `mean` and `spread`, and the new state. The mean counts as the
        action that was taken."""
        maps = functional.avg_pool2d(depth.permute(0, 3, 1, 2), 2)
        seen = self.seen(self.compression(self.trunk(maps)))
        features = torch.cat([seen, known, self.before(state["action"])], 1)
        hidden, cell = state["lstm"].permute(1, 2, 0, 3).contiguous()
        features, carried = self.lstm(features[None], (hidden, cell))
        mean = self.actor(features[0]).tanh()
        spread = self.log_std.clamp(*LOG_STD).exp().expand_as(mean)
        new = {"lstm": torch.stack(carried).permute(2, 0, 1, 3), "action": mean}
        return {"mean": mean, "spread": spread}, new


def last_map_width(depth: int) -> int:
    """The width of the trunk's output for a view `depth` pixels wide."""
    return math.ceil(depth // 2 / 32)


NAMES = {
    # Their blocks have a stage and a number; ours follow four single layers in one sequence.
    **{
        f"net.visual_encoder.backbone.layer{1 + block // 2}.{block % 2}.{theirs}.": (
            f"trunk.{4 + block}.{ours}."
        )
        for block in range(8)
        for theirs, ours in (("convs", "main"), ("downsample", "around"))
    },
    "net.visual_encoder.backbone.conv1.": "trunk.",
    "net.visual_encoder.compression.": "compression.",
    "net.visual_fc.": "seen.",
    "net.prev_action_embedding.": "before.",
    "net.state_encoder.rnn.": "lstm.",
    "action_distribution.mu_maybe_std.": "actor.",
    "action_distribution.std": "log_std",
}
"""Prefixes of weight names: theirs -> ours."""


def our_name(name: str) -> str | None:
    """Our name for a weight of theirs; None if acting does not need it."""
    for theirs, ours in NAMES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return None


def load_skill(path: Path, trunk: nn.Module, spec: SkillSpec, device: torch.device) -> Skill:
    """Load the skill of a checkpoint into a network with this trunk.

    Tensors and plain values are read with `weights_only`. The file's configuration is made of
    classes; a class that does nothing replaces each of them. So no code of the file runs, and
    neither habitat-baselines nor omegaconf is needed. Raises UserError if the file is no
    checkpoint, holds other classes, or its skill has other sizes than `spec`.
    """
    weights = {
        ours: value for name, value in _read(path).items() if (ours := our_name(name)) is not None
    }
    skill = Skill(spec, trunk).to(device)
    shapes = {name: tuple(value.shape) for name, value in skill.state_dict().items()}
    found = {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}
    if found != shapes:
        odd = sorted(set(found.items()) ^ set(shapes.items()), key=str)[0]
        raise UserError(
            f"{path} is not a skill with a view of {spec.depth}x{spec.depth} pixels, {spec.known} "
            f"numbers beside it and {spec.actions} of an action: {odd[0]} differs"
        )
    skill.load_state_dict(weights)
    return skill.requires_grad_(False).eval()


def _read(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint under their original names."""
    try:
        names = get_unsafe_globals_in_checkpoint(path)
    except Exception as error:  # A damaged file can fail in any way.
        raise UserError(f"{path} is damaged or no checkpoint") from error
    if strange := [name for name in names if not CONFIGURATION.fullmatch(name)]:
        raise UserError(
            f"{path} would run {strange[0]}: it holds more than weights and a configuration and is "
            "not loaded"
        )
    try:
        with safe_globals([(empty if name == DICTIONARY else Nothing, name) for name in names]):
            content = torch.load(path, map_location="cpu", weights_only=True)
        return {str(name): value for name, value in content["state_dict"].items()}
    except Exception as error:
        raise UserError(f"{path} is not a checkpoint of a skill of habitat-baselines") from error
