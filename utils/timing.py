"""A stopwatch for the phases of a training iteration."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from utils import devices


class Stopwatch:
    """Adds up seconds by phase: `with watch("policy"): …`; `watch.seconds["policy"]`."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device if device and devices.asynchronous(device) else None

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self._device:
            torch.get_device_module(self._device).synchronize(self._device)
        self.seconds[phase] += time.perf_counter() - start
