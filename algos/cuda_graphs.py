"""CUDA graphs: work that is the same each time, launched as one."""

import gc
from collections.abc import Callable

import torch

from utils.tensors import Tensors, copy, each

WARM_UPS = 3


class Graphed:
    """`work`, recorded at its first call as a CUDA graph and replayed from then on.

    It takes tensors by name, of the same shapes each time, and returns tensors by name, which the
    next call overwrites. It must do the same operations whatever the numbers are and look at none
    of them; whatever else it reads or writes must stay where it is. The first call runs it more
    than once. On the CPU, where there are no graphs, every call just runs it.
    """

    def __init__(
        self,
        work: Callable[[Tensors], Tensors],
        device: torch.device,
        generator: torch.Generator | None = None,
    ) -> None:
        """`generator`, on the device, is the one that `work` draws from."""
        self._work = work
        self._device = device
        self._generator = generator
        self._graph: torch.cuda.CUDAGraph | None = None
        self._kinds: dict[str, str] = {}
        self._inputs: Tensors = {}
        self._outputs: Tensors = {}

    def __call__(self, inputs: Tensors) -> Tensors:
        """ValueError for a tensor of another shape or type than the first time."""
        for name, tensor in inputs.items():
            kind = f"{tensor.dtype} {tuple(tensor.shape)}"
            if self._kinds.setdefault(name, kind) != kind:
                raise ValueError(f"{name} is {kind}; the graph is one of {self._kinds[name]}")
        if self._device.type != "cuda":
            return self._work(inputs)
        if self._graph is None:
            self._graph = self._record(inputs)
        copy(self._inputs, inputs)
        self._graph.replay()
        return self._outputs

    def _record(self, inputs: Tensors) -> torch.cuda.CUDAGraph:
        """What libraries set up when they are first called must not be part of the recording."""
        # A graph that is no longer used lies in a cycle with its work, and keeps its memory.
        gc.collect()
        self._inputs = each(torch.clone, inputs)
        graph = torch.cuda.CUDAGraph()
        if self._generator:
            graph.register_generator_state(self._generator)
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._work(self._inputs)
        with torch.cuda.graph(graph, stream=stream):
            self._outputs = self._work(self._inputs)
        torch.cuda.current_stream(self._device).wait_stream(stream)
        return graph
