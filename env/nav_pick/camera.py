"""Depth images by ray casting, for N homes at once.

Each ray is scaled so that its parameter is the depth along the optical axis. Ray directions depend
only on the pixel and the heading. Their forward and sideways parts, and everything about floor,
ceiling and height, are computed once per camera. A box is the space between three pairs of planes.
A ray is inside the box between its last entrance and its first exit.

Memory traffic limits the speed. So each operation works on a chunk of pixels that fits in the
cache, and writes into reused memory. No operation selects by a mask: on a CPU that takes ten times
as long as computing every value.
"""

import math

import torch
from torch import Tensor

from env.nav_pick.layout import CEILING, INNER, LOW, OUTER
from env.nav_pick.robot import CAMERA_HEIGHT

FAR = 10.0
"""Metres, the largest depth."""
PITCH, WIDE = math.radians(30), math.radians(90)
STEEP = 1e9
"""The largest inverse of a direction: a ray parallel to a wall never meets it."""
MISS = 1e12
CHUNK, CUDA_CHUNK = 2**16, 2**20
"""Pixels per chunk: per CPU thread, a few megabytes; on a GPU, about its cache."""


class DepthCamera:
    """A camera of `size` x `size` pixels on the axis of a base, tilted down by `PITCH`."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.size = size
        places = ((torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1) * math.tan(
            WIDE / 2
        )
        right, up = places.repeat(size), -places.repeat_interleave(size)
        ahead = math.cos(PITCH) + up * math.sin(PITCH)
        rise = up * math.cos(PITCH) - math.sin(PITCH)
        steepness = (1 / rise).clamp(-STEEP, STEEP)
        # Only rays that go down meet the tops of low boxes.
        down = torch.where(rise < 0, steepness, -STEEP)
        height = torch.where(rise < 0, -CAMERA_HEIGHT, CEILING / 100 - CAMERA_HEIGHT)
        self.ahead, self.right, self.steepness, self.down, self.level = (
            pixels.float().to(device)
            for pixels in (ahead, right, steepness, down, height * steepness)
        )

    def __call__(
        self, position: Tensor, heading: Tensor, boxes: Tensor, middle: Tensor, half: float
    ) -> Tensor:
        """Depth / `FAR` in [0, 1], (N, size, size, 1) float32.

        The cameras are above `position` (N, 2) and look along `heading` (N,). A home has `boxes`
        (N, B, 6) and a cube with its `middle` (N, 3) and `half` its side, in metres.
        """
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
        """Write the depth (n, pixels) of a chunk. `solids` (n, B, 6, 1) are boxes relative to the
        camera, the cube last; `work` (7, n, pixels) is scratch memory."""
        x, y, spare, enter, leave, first, last = work
        cos, sin = facing[:, :1], facing[:, 1:]
        torch.mul(self.ahead, cos, out=x).add_(torch.mul(self.right, sin, out=spare))
        torch.mul(self.ahead, sin, out=y).sub_(torch.mul(self.right, cos, out=spare))
        for inverse in (x, y):
            inverse.reciprocal_().clamp_(-STEEP, STEEP)

        def cross(inverse: Tensor, low: Tensor, high: Tensor, enter: Tensor, leave: Tensor) -> None:
            """Where rays enter and leave the space between two planes."""
            torch.mul(inverse, low, out=spare)
            torch.mul(inverse, high, out=leave)
            torch.minimum(spare, leave, out=enter)
            torch.maximum(spare, leave, out=leave)

        # The camera is inside the outer walls, so only the exit counts.
        left, right, bottom, top = solids[:, OUTER].unbind(1)
        for inverse, low, high in ((x, left[:, 3], right[:, 0]), (y, bottom[:, 4], top[:, 1])):
            cross(inverse, low, high, enter, leave)
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
            # A ray that leaves before it enters misses the box.
            torch.sub(enter, leave, out=leave).mul_(MISS)
            torch.maximum(enter, leave, out=enter)
            torch.minimum(depth, enter, out=depth)
