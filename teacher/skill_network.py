"""Skills that habitat-baselines has trained, as networks of ours.

Theirs is a residual network on depth and an LSTM, with a Gaussian head (their configuration
`rl_skill`); the names of its weights tell what a skill sees and does. Checked against
habitat-baselines 0.3.3.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from algos.vision import resnet18_trunk
from utils.errors import UserError
from utils.tensors import Tensors

WIDTH, HIDDEN, OF_ACTION, LAYERS = 32, 512, 32, 2
LOG_STD = -5.0, 2.0
DICTIONARY = "collections.defaultdict"
CONFIGURATION = re.compile(
    rf"(omegaconf|habitat|habitat_baselines|typing)\.[\w.]+|{re.escape(DICTIONARY)}"
    r"|builtins\.(dict|list|tuple|str|int|float|bool|Ellipsis|getattr)|_?operator\.getitem"
)
"""Names that a checkpoint's own configuration is made of. None of them is ever looked up."""


class Nothing:
    """Stands for each part of a configuration: takes whatever it is made of, and does nothing."""

    def __new__(cls, *parts: object) -> "Nothing":
        return super().__new__(cls)

    def __init__(self, *parts: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def empty(*parts: object) -> dict[object, object]:
    """The same for a dictionary, into which a checkpoint puts what it likes."""
    return {}


class SkillSpec(NamedTuple):
    """Pixels of its depth view, across and down; how many numbers it knows beside it; of how many
    its action is."""

    depth: int
    known: int
    actions: int


class Skill(nn.Module):
    """Depth (N, H, H, 1) in [0, 1], numbers (N, K) and its last action (N, A) -> the mean of the
    next one in [-1, 1] and its spread, (N, A) each.

    Its state, zeros at the start: `lstm` (N, 2, 2, 512), and the `action` (N, A) before.
    """

    def __init__(self, spec: SkillSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = resnet18_trunk(1, WIDTH)
        side = cells(spec.depth)
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
        """One step of N episodes: `mean` and `spread`, and the new state, of which the mean is the
        action."""
        maps = functional.avg_pool2d(depth.permute(0, 3, 1, 2), 2)
        seen = self.seen(self.compression(self.trunk(maps)))
        features = torch.cat([seen, known, self.before(state["action"])], 1)
        hidden, cell = state["lstm"].permute(1, 2, 0, 3).contiguous()
        features, carried = self.lstm(features[None], (hidden, cell))
        mean = self.actor(features[0]).tanh()
        spread = self.log_std.clamp(*LOG_STD).exp().expand_as(mean)
        kept = {"lstm": torch.stack(carried).permute(2, 0, 1, 3), "action": mean}
        return {"mean": mean, "spread": spread}, kept


def cells(depth: int) -> int:
    """How wide the last map is of a view so many pixels wide."""
    return math.ceil(depth // 2 / 32)


NAMES = {
    # Their blocks, by stage and number, are ours in a row, behind four single layers.
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
"""How names of weights begin there and here."""


def our_name(name: str) -> str | None:
    """What a weight of theirs is called here; None for those that are not needed to act."""
    for theirs, ours in NAMES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return None


def load_skill(path: Path, depth: int, known: int, actions: int, device: torch.device) -> Skill:
    """The skill of a checkpoint. UserError if the file is none, holds what is neither weights nor a
    configuration, or a skill that sees or does something else than `Skill` is told.

    Tensors and plain values are read, with `weights_only`. What the file calls its configuration is
    made of classes: for each of them something stands that does nothing, so that none of it runs
    and neither habitat-baselines nor omegaconf is needed.
    """
    weights = {
        ours: value for name, value in _read(path).items() if (ours := our_name(name)) is not None
    }
    wanted = SkillSpec(depth, known, actions)
    skill = Skill(wanted).to(device)
    shapes = {name: tuple(value.shape) for name, value in skill.state_dict().items()}
    found = {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}
    if found != shapes:
        odd = sorted(set(found.items()) ^ set(shapes.items()), key=str)[0]
        raise UserError(
            f"{path} is no skill with a view of {depth}x{depth} pixels, {known} numbers beside it "
            f"and {actions} of an action: {odd[0]} differs"
        )
    skill.load_state_dict(weights)
    return skill.requires_grad_(False).eval()


def _read(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by their names there."""
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
        raise UserError(f"{path} is no checkpoint of a skill of habitat-baselines") from error
