"""A pretend accelerator for machines without a GPU: the device "pretend".

A tensor on it holds CPU data and says that it lies on the device. An operation that mixes tensors
of the device with tensors of the CPU, which a GPU refuses, is a fault. Each time that the host must
wait for the device is counted. The arithmetic is the CPU's, so results must equal the CPU's to the
bit.

Inside `accelerator()` PyTorch knows the device. What a real kernel computes differently, streams
and memory are not covered.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from algos.cuda_graphs import Graphed
from tests.gpu_rules import (
    FROM_HOST,
    UNKNOWN,
    faults,
    is_sent,
    looks_at_values,
    refusal,
    tensors_in,
)
from tests.plain_lstm import plain_lstm
from utils import devices

NAME = "pretend"
_setup_privateuseone_for_python_backend(rename=NAME)
HERE, THERE = torch.device("cpu"), torch.device(NAME, 0)
PROJECT = Path(__file__).parent.parent
ops = torch.ops.aten

ROUNDED = {functional.conv2d, functional.linear, torch.matmul, Tensor.matmul, torch.bmm}
"""Functions whose inputs automatic mixed precision rounds."""


class OnDevice(Tensor):
    """A tensor of the device; its values are in `data_here`."""

    data_here: Tensor

    @staticmethod
    def __new__(cls: Any, data: Tensor) -> "OnDevice":
        made = Tensor._make_wrapper_subclass(
            cls,
            data.shape,
            strides=data.stride(),
            storage_offset=data.storage_offset(),
            dtype=data.dtype,
            device=THERE,
        )
        made.data_here = data
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{self.data_here} on the device"

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A file of tensors is read onto the CPU in any case.
        return self.data_here.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return run(operation, args, kwargs or {})


class Record:
    """What has happened on the device: how often the host waited for it and what a GPU would have
    refused, by the line of the project.

    A fault is noted, not raised: an error in a backward pass would end the process.
    """

    def __init__(self) -> None:
        self.waits: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.graph: Graphed | None = None
        """The work that would be recorded as a CUDA graph, if it is being done."""

    def clear(self) -> None:
        self.waits.clear()
        self.faults.clear()

    def wait(self, what: object) -> None:
        self.waits[f"{_line()}: {what}"] += 1

    def fault(self, what: str) -> None:
        self.faults[f"{_line()}: {what}"] += 1


record = Record()


def _line() -> str:
    """The line of the project that is being carried out."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if path != Path(__file__) and PROJECT in path.parents and ".venv" not in path.parts:
            return f"{path.relative_to(PROJECT)}:{frame.lineno}"
    return "?"


def run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the CPU, and say that its results lie where they would."""
    there = [each for each in tensors_in((*args, *kwargs.values())) if isinstance(each, OnDevice)]
    if there:
        for fault in faults(operation, args, kwargs):
            record.fault(f"{operation} {fault}")
    device = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
    arrives = device.type == NAME if device else bool(there)
    if operation is ops.copy_.default:
        arrives = isinstance(args[0], OnDevice)
    sent = arrives and is_sent(operation, args)
    if there and (looks_at_values(operation, args, kwargs) or not arrives):
        record.wait(operation)
    elif sent:
        record.wait(f"{operation} to the device")
    if record.graph and (reason := refusal(operation, args, kwargs, sent or not arrives)):
        record.fault(f"a graph cannot hold {operation}: {reason}")

    if device:
        kwargs = {**kwargs, "device": HERE}
    result = operation(*_mapped(_data, args), **_mapped(_data, kwargs))
    known = {id(tensor.data_here): tensor for tensor in there}

    def placed(value: Tensor) -> Tensor:
        return known[id(value)] if id(value) in known else OnDevice(value)

    if not arrives:
        return result

    if operation in FROM_HOST:
        return placed(result[0]), result[1]
    return _mapped(placed, result)


def _mapped(change: Callable[[Tensor], Any], values: Any) -> Any:
    """An operation's arguments or results with changed tensors. PyTorch's own `tree_map` does this
    too, but takes most of a test's time."""
    if isinstance(values, Tensor):
        return change(values)
    if isinstance(values, dict):
        return {name: _mapped(change, value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)([_mapped(change, value) for value in values])
    return values


def _data(tensor: Tensor) -> Tensor:
    return tensor.data_here if isinstance(tensor, OnDevice) else tensor


class _Operations(TorchDispatchMode):
    """Catches operations that make tensors, and copies."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return run(operation, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Catches what PyTorch does before any operation: names of devices, values as Python's."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        first = args[0] if args else None
        if drawn_from := kwargs.get("generator"):
            place = kwargs.get("device") or (first.device if isinstance(first, Tensor) else HERE)
            if torch.device(place).type != drawn_from.device.type:
                record.fault(f"{function} draws from a generator of {drawn_from.device}")
            if record.graph and drawn_from is not record.graph._generator:
                record.fault(f"a graph cannot hold {function}: {UNKNOWN}")
        if isinstance(first, OnDevice) and function is Tensor.tolist:
            record.wait("tolist")
            return first.data_here.tolist()
        if isinstance(first, OnDevice) and function in (Tensor.__getitem__, Tensor.__setitem__):
            # PyTorch makes a number to be written on the CPU, for a GPU too.
            values = (_number(value, first) for value in args[2:])
            args = first, _index(args[1]), *values
        if isinstance(first, OnDevice) and function is Tensor.new_tensor:
            return torch.tensor(args[1], dtype=kwargs.get("dtype", first.dtype)).to(THERE)
        if function is torch.as_tensor and isinstance(first, OnDevice):
            return first.to(**kwargs)
        if function in (torch.tensor, torch.as_tensor) and _is_there(kwargs.get("device")):
            return function(*args, **{**kwargs, "device": HERE}).to(THERE)
        if function is torch._VF._pad_packed_sequence and isinstance(first, OnDevice) and args[2]:
            # The operation itself would transpose its result in place.
            padded, lengths = function(first, args[1], False, *args[3:])
            return padded.transpose(0, 1), lengths
        if function in ROUNDED and _Autocast.rounds:
            args, kwargs = _mapped(_rounded, args), _mapped(_rounded, kwargs)
        return function(*args, **kwargs)


def _index(index: Any) -> Any:
    """An index with tensors for lists."""
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    return torch.tensor(index) if isinstance(index, list) else index


def _number(value: Any, target: Tensor) -> Any:
    return torch.tensor(value, dtype=target.dtype) if isinstance(value, int | float) else value


def _is_there(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _rounded(tensor: Tensor) -> Tensor:
    if not isinstance(tensor, OnDevice) or tensor.dtype != torch.float32:
        return tensor
    known = _Autocast.weights
    rounded = known[tensor] if tensor in known else tensor.to(torch.bfloat16)
    # A weight is rounded once, so that its gradients are added up as rounded numbers.
    if tensor.is_leaf and tensor.requires_grad:
        known[tensor] = rounded
    return rounded


class _Generator(torch.Generator):
    """A CPU generator that says which device it was made for."""

    def __new__(cls, device: Any = "cpu") -> "_Generator":
        return super().__new__(cls, "cpu")

    def __init__(self, device: Any = "cpu") -> None:
        self.place = torch.device(device)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place


class _Autocast(torch.autocast):
    """Automatic mixed precision, also on the device."""

    rounds = False
    weights: ClassVar[dict[Tensor, Tensor]] = {}

    def __init__(self, device_type: str, *args: Any, enabled: bool = True, **kwargs: Any) -> None:
        self.there = enabled and device_type == NAME
        known = "cpu" if device_type == NAME else device_type
        super().__init__(known, *args, enabled=enabled and not self.there, **kwargs)

    def __enter__(self) -> None:
        super().__enter__()
        _Autocast.rounds = self.there

    def __exit__(self, *error: Any) -> None:
        _Autocast.rounds = False
        _Autocast.weights.clear()
        super().__exit__(*error)


call = Graphed.__call__


def _recorded(graph: Graphed, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Call the work of a CUDA graph and note what a graph cannot hold."""
    with patch.object(record, "graph", graph if graph._device.type == NAME else None):
        return call(graph, inputs)


@contextmanager
def accelerator() -> Iterator[Record]:
    """PyTorch and the project with the device. Faults in the block are an error at its end."""
    record.clear()
    with (
        patch.multiple(torch, Generator=_Generator, autocast=_Autocast),
        patch.object(nn.LSTM, "forward", plain_lstm),
        patch.object(Graphed, "__call__", _recorded),
        patch.object(devices, "KINDS", (*devices.KINDS, NAME)),
        patch.object(torch.get_device_module(NAME), "synchronize", record.wait, create=True),
        # Gradients are computed in this thread, where the modes below hold.
        torch.autograd.set_multithreading_enabled(False),
        _Functions(),
        _Operations(),
    ):
        yield record
    assert not record.faults, list(record.faults)
