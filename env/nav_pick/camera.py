"""Depth by ray casting, for N homes at once.

A ray is followed per unit of depth along the optical axis: after t metres of depth it has moved by
t times its direction, so what is found is the depth itself. Directions depend on the pixel and the
heading alone: the forward and the sideways part are the camera's, once and for all, and so is all
that concerns floor, ceiling and height. A box is between three pairs of planes; a ray is inside
between its last entrance and its first exit.

Each operation goes over a chunk of pixels that stays in a cache, into memory that is used again:
what bounds a step is how often these numbers are read and written. No operation chooses by a mask:
that is ten times slower on a CPU than to calculate.
"""

import math

import torch
from torch import Tensor

from env.nav_pick.layout import CEILING, INNER, LOW, OUTER
from env.nav_pick.robot import CAMERA_HEIGHT

FAR = 10.0
"""Metres; what is beyond is seen there."""
PITCH, WIDE = math.radians(30), math.radians(90)
STEEP = 1e9
"""The largest inverse of a direction: a ray along a wall never meets it."""
MISS = 1e12
CHUNK, CUDA_CHUNK = 2**16, 2**20
"""Pixels at a time: for each thread of a CPU, where fewer, longer operations pay as long as a few
megabytes hold them; on a GPU about as many as its cache holds."""


class DepthCamera:
    """`size` x `size` pixels, on the axis of a base, tilted down; row 0 is the top, column 0 the
    left."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.size = size
        places = ((torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1) * math.tan(
            WIDE / 2
        )
        right, up = places.repeat(size), -places.repeat_interleave(size)
        ahead = math.cos(PITCH) + up * math.sin(PITCH)
        rise = up * math.cos(PITCH) - math.sin(PITCH)
        steepness = (1 / rise).clamp(-STEEP, STEEP)
        # The tops of low boxes are met from above, by rays that go down.
        down = torch.where(rise < 0, steepness, -STEEP)
        height = torch.where(rise < 0, -CAMERA_HEIGHT, CEILING / 100 - CAMERA_HEIGHT)
        self.ahead, self.right, self.steepness, self.down, self.level = (
            pixels.float().to(device)
            for pixels in (ahead, right, steepness, down, height * steepness)
        )

    def __call__(
        self, position: Tensor, heading: Tensor, boxes: Tensor, middle: Tensor, half: float
    ) -> Tensor:
        """What cameras over `position` (N, 2), which look along `heading` (N,), see of homes
        `boxes` (N, B, 6) with a cube around `middle` (N, 3): (N, size, size, 1) float32 in
        [0, 1], the depth up to `FAR`."""
        eye = torch.cat([position, torch.full_like(position[:, :1], CAMERA_HEIGHT)], 1)
        boxes = boxes - eye.repeat(1, 2)[:, None]
        cube = torch.cat([middle - half - eye, middle + half - eye], 1)[:, None]
        facing = torch.stack([heading.cos(), heading.sin()], 1)
        pixels = self.size**2
        depth = torch.empty(len(position), pixels, device=position.device)
        if position.device.type == "cpu":
            count = max(1, CHUNK * torch.get_num_threads() // pixels)
        else:
            count = max(1, CUDA_CHUNK // pixels)
        work = torch.empty(7, min(count, len(depth)), pixels, device=depth.device)
        chunks = (part.split(count) for part in (depth, facing, torch.cat([boxes, cube], 1)))
        for seen, ways, solids in zip(*chunks, strict=True):
            self._look(seen, ways, solids[..., None], work[:, : len(seen)])
        return depth.clamp_(max=FAR).mul_(1 / FAR).view(-1, self.size, self.size, 1)

    def _look(self, depth: Tensor, facing: Tensor, solids: Tensor, work: Tensor) -> None:
        """Writes the depth (n, pixels) of a chunk; `solids` (n, B, 6, 1) as seen from the eye, the
        cube last; `work` is memory to calculate in."""
        x, y, spare, enter, leave, first, last = work
        cos, sin = facing[:, :1], facing[:, 1:]
        torch.mul(self.ahead, cos, out=x).add_(torch.mul(self.right, sin, out=spare))
        torch.mul(self.ahead, sin, out=y).sub_(torch.mul(self.right, cos, out=spare))
        for inverse in (x, y):
            inverse.reciprocal_().clamp_(-STEEP, STEEP)

        def cross(inverse: Tensor, low: Tensor, high: Tensor, enter: Tensor, leave: Tensor) -> None:
            """When rays enter and leave the space between two planes."""
            torch.mul(inverse, low, out=spare)
            torch.mul(inverse, high, out=leave)
            torch.minimum(spare, leave, out=enter)
            torch.maximum(spare, leave, out=leave)

        # From inside the home only the exit counts.
        left, right, bottom, top = solids[:, OUTER].unbind(1)
        for inverse, low, high in ((x, left[:, 3], right[:, 0]), (y, bottom[:, 4], top[:, 1])):
            torch.mul(inverse, low, out=spare)
            torch.mul(inverse, high, out=leave)
            torch.maximum(spare, leave, out=leave)
            torch.minimum(self.level if inverse is x else depth, leave, out=depth)

        cube = solids.shape[1] - 1
        for place in range(INNER.start, cube + 1):
            low_x, low_y, low_z, high_x, high_y, high_z = solids[:, place].unbind(1)
            cross(x, low_x, high_x, enter, leave)
            cross(y, low_y, high_y, first, last)
            torch.maximum(enter, first, out=enter)
            torch.minimum(leave, last, out=leave)
            if place == cube:
                cross(self.steepness, low_z, high_z, first, last)
                torch.maximum(enter, first, out=enter)
                torch.minimum(leave, last, out=leave)
            if LOW.start <= place < cube:
                torch.maximum(enter, torch.mul(self.down, high_z, out=first), out=enter)
            else:
                enter.clamp_(min=0)
            # Who leaves before he enters misses.
            torch.sub(enter, leave, out=leave).mul_(MISS)
            torch.maximum(enter, leave, out=enter)
            torch.minimum(depth, enter, out=depth)
