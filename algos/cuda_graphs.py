"""CUDA graphs: the same operations each time, launched at once."""

import gc
from collections.abc import Callable

import torch

from utils.tensors import Tensors, copy, each

WARM_UPS = 3


class Graphed:
    """Calls `work` as a CUDA graph: the first call records it, later calls replay it.

    `work` takes tensors by name, of the same shapes each time. It returns tensors by name, which
    the next call overwrites. It must do the same operations for all values, and must not read a
    value on the CPU. Other tensors that it reads or writes must keep their memory. The first call
    runs `work` more than once. On the CPU, where there are no graphs, each call runs it once.
    """

    def __init__(
        self,
        work: Callable[[Tensors], Tensors],
        device: torch.device,
        generator: torch.Generator | None = None,
    ) -> None:
        """`generator` is on the device; `work` draws from it."""
        self._work = work
        self._device = device
        self._generator = generator
        self._graph: torch.cuda.CUDAGraph | None = None
        self._kinds: dict[str, str] = {}
        self._inputs: Tensors = {}
        self._outputs: Tensors = {}

    def __call__(self, inputs: Tensors) -> Tensors:
        """ValueError for a tensor of another shape or dtype than at the first call."""
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
        """Record the graph. Some calls without it come first: libraries set themselves up in their
        first call, which must not be recorded."""
        # Unused graphs are in reference cycles with their work, and keep their memory until here.
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
