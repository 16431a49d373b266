"""Encoders of a camera's depth images and a robot's state."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

FEATURES, OF_STATE = 256, 64
GROUPS = 16


class CameraEncoder(nn.Module):
    """A `trunk` on `depth` (N, H, W, 1) and a layer on `state` (N, D); features are joined."""

    def __init__(self, trunk: nn.Module, depth: tuple[int, ...], state: int) -> None:
        super().__init__()
        height, width, channels = depth
        self.trunk = trunk
        with torch.no_grad():
            size = trunk(torch.zeros(1, channels, height, width)).numel()
        self.seen = nn.Sequential(nn.Flatten(), nn.Linear(size, FEATURES), nn.ReLU())
        self.known = nn.Sequential(nn.Linear(state, OF_STATE), nn.Tanh())
        self.features = FEATURES + OF_STATE

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        seen = self.seen(self.trunk(obs["depth"].permute(0, 3, 1, 2)))
        return torch.cat([seen, self.known(obs["state"])], 1)


def small_trunk(channels: int) -> nn.Module:
    """Three convolutions with strides."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 8, stride=4, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(),
    )


class Block(nn.Module):
    """A residual block of two convolutions (arXiv 1512.03385, section 3)."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, padding=1, bias=False),
            nn.GroupNorm(GROUPS, outer),
            nn.ReLU(),
            nn.Conv2d(outer, outer, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, outer),
        )
        self.around: nn.Module = nn.Identity()
        if stride > 1 or inner != outer:
            convolution = nn.Conv2d(inner, outer, 1, stride, bias=False)
            self.around = nn.Sequential(convolution, nn.GroupNorm(GROUPS, outer))

    def forward(self, maps: Tensor) -> Tensor:
        joined: Tensor = self.main(maps) + self.around(maps)
        return joined.relu()


def resnet18_trunk(channels: int, width: int = 32) -> nn.Module:
    """ResNet-18 as is usual for depth in reinforcement learning: half the usual `width`, and group
    norms, because a batch norm does not suit batches of one observation."""
    blocks = []
    inner = width
    for stage in range(4):
        outer = width << stage
        blocks += [Block(inner, outer, 2 if stage else 1), Block(outer, outer, 1)]
        inner = outer
    return nn.Sequential(
        nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
        nn.GroupNorm(GROUPS, width),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        *blocks,
    )
