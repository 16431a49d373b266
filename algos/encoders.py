"""Encoders turn an observation into features."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

FILTERS = 16, 32, 64
NARROW = 5


class View(Protocol):
    """Turns maps (N, W, H, C) uint8 into input for convolutions, (N, *shape) float32, on the maps'
    device. It has no weights."""

    shape: tuple[int, int, int]

    def __call__(self, maps: Tensor) -> Tensor: ...


class Encoder(Protocol):
    """A module that turns N observations into (N, features) float32."""

    features: int

    def __call__(self, obs: Mapping[str, Tensor]) -> Tensor: ...


class MapEncoder(nn.Module):
    """Three 3x3 convolutions (16-32-64) on maps, `image` (N, W, H, C) uint8. Stacked frames come
    first, oldest first: the earlier ones are in `before`.

    Without a `view` it is the paper's encoder: maps are raw numbers and keep their size. A view is
    wider. There a convolution has a stride of 2 while its input is more than `NARROW` wide, which
    keeps the arithmetic small.
    """

    def __init__(self, map_shape: tuple[int, int, int], view: View | None = None) -> None:
        """`map_shape` is (W, H, C) of all frames together."""
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
            # A fifth faster on a CPU, and the layout of tensor cores.
            self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        maps = obs["image"]
        if "before" in obs:
            maps = torch.cat([obs["before"], maps], -1)
        seen = self.view(maps) if self.view else maps.permute(0, 3, 2, 1).float()
        features: Tensor = self.convolutions(seen)
        return features
