"""Encoders: what turns an observation into features."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

FILTERS = 16, 32, 64
NARROW = 5


class View(Protocol):
    """What turns maps (N, W, H, C) uint8 into what convolutions see well, (N, *shape) float32, on
    the maps' device. Nothing in it is learned."""

    shape: tuple[int, int, int]

    def __call__(self, maps: Tensor) -> Tensor: ...


class Encoder(Protocol):
    """A module that turns observations of N rows into `features` numbers each."""

    features: int

    def __call__(self, obs: Mapping[str, Tensor]) -> Tensor: ...


class MapEncoder(nn.Module):
    """Three 3x3 convolutions (16-32-64) on maps: `image` (N, W, H, C) uint8, behind the earlier
    ones, `before`, where frames are stacked.

    The paper's encoder, without a `view`, takes them as raw numbers and keeps their size; with a
    view, which is wider, a convolution has a stride of 2 while what it sees is more than `NARROW`
    wide, so that arithmetic stays small.
    """

    def __init__(self, map_shape: tuple[int, int, int], view: View | None = None) -> None:
        """`map_shape` (W, H, C) is that of all frames together."""
        super().__init__()
        self.view = view
        width, height, channels = map_shape
        if view:
            channels, height, width = view.shape
        self.convolutions = nn.Sequential()
        for filters in FILTERS:
            stride = 2 if view and max(height, width) > NARROW else 1
            self.convolutions.append(nn.Conv2d(channels, filters, 3, stride, padding=1))
            self.convolutions.append(nn.ReLU())
            channels, height, width = filters, -(-height // stride), -(-width // stride)
        self.convolutions.append(nn.Flatten())
        self.features = channels * height * width
        if view:
            # A fifth faster on a CPU, and what tensor cores want.
            self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        maps = obs["image"]
        if "before" in obs:
            maps = torch.cat([obs["before"], maps], -1)
        seen = self.view(maps) if self.view else maps.permute(0, 3, 2, 1).float()
        features: Tensor = self.convolutions(seen)
        return features
