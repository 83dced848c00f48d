"""A GPU that is made up: tensors "on" it hold their content on the CPU, and to mix them with others is an error.

Unlike PyTorch's FakeTensor they have content, so a pipeline that looks at it (which steps have a voice?) can be run,
and its answer compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

aten = torch.ops.aten
GPU = torch.device("cuda", 0)
# A GPU takes the CPU's indices, and copies from it.
TAKES_BOTH = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default,
              aten.copy_.default, aten.to.other}  # fmt: skip

COPIES = {aten._to_copy.default, aten.to.dtype_layout, aten.to.device}


class OnGpu(Tensor):
    """A tensor that says it is on the GPU."""

    content: Tensor

    @staticmethod
    def __new__(cls, content: Tensor) -> OnGpu:
        made = Tensor._make_wrapper_subclass(
            cls, content.shape, strides=content.stride(), storage_offset=content.storage_offset(),
            dtype=content.dtype, device=GPU,
        )  # fmt: skip
        made.content = content
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _run(function, args, kwargs or {})


class MadeUpGpu(TorchDispatchMode):
    """While it is on, ``device="cuda"`` and ``.to("cuda")`` work; ``copies`` counts those from the CPU."""

    _mode_key = torch._C._TorchDispatchModeKey.FAKE  # PyTorch then does not look for a driver

    def __init__(self) -> None:
        super().__init__(_dispatch_key=None)
        self.copies = {"pinned": 0, "not pinned": 0}
        self.pinned: list[Tensor] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (aten.pin_memory.default, aten._pin_memory.default):
            self.pinned.append(args[0].clone())
            return self.pinned[-1]
        if function is aten.is_pinned.default:
            return any(args[0] is one for one in self.pinned)
        if function in COPIES and _is_gpu(_device_of(args, kwargs)) and not isinstance(args[0], OnGpu):
            self.copies["pinned" if any(args[0] is one for one in self.pinned) else "not pinned"] += 1
        return _run(function, args, kwargs)


def _device_of(args: tuple, kwargs: dict) -> torch.device | None:
    """Where an operator is told to put what it makes."""
    return next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.device)), None)


def _is_gpu(device: torch.device | None) -> bool:
    return device is not None and device.type == "cuda"


def _run(function: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    tensors = [x for x in tree_iter((args, kwargs)) if isinstance(x, Tensor)]
    on_gpu = {id(x.content): x for x in tensors if isinstance(x, OnGpu)}
    on_cpu = [x for x in tensors if not isinstance(x, OnGpu) and x.dim()]
    if on_gpu and on_cpu and function not in TAKES_BOTH:
        raise RuntimeError(f"{function}: some of its tensors are on the GPU and some on the CPU")
    to = _device_of(args, kwargs)
    there = _is_gpu(to) if to is not None else bool(on_gpu)
    if function in (aten.copy_.default, aten.to.other):
        there = isinstance(args[function is aten.to.other], OnGpu)

    def content(x: Any) -> Any:
        return x.content if isinstance(x, OnGpu) else torch.device("cpu") if isinstance(x, torch.device) else x

    unwrapped, options = tree_map(content, (args, kwargs))
    options.pop("pin_memory", None)
    found = function(*unwrapped, **options)

    def wrapped(x: Any) -> Any:
        if not isinstance(x, Tensor) or not there:
            return x
        return on_gpu[id(x)] if id(x) in on_gpu else OnGpu(x)  # what was changed in place is still the same tensor

    return tree_map(wrapped, found)


@contextmanager
def made_up_gpu() -> Iterator[MadeUpGpu]:
    torch._C._ensureCUDADeviceGuardSet()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device="cuda") makes it on the CPU and copies it
    try:
        with torch.backends.cudnn.flags(enabled=False), MadeUpGpu() as gpu:
            yield gpu
    finally:
        torch._C._set_only_lift_cpu_tensors(False)


@torch.inference_mode()
def on_made_up_gpu(model: nn.Module) -> nn.Module:
    """As ``model.to("cuda")`` would leave it: parameters and buffers there, any other tensor where it was.

    For inference mode alone: there the wrappers of its views are made too.
    """
    for part in model.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            setattr(part, name, nn.Parameter(OnGpu(value.clone()), requires_grad=False))
        for name, value in list(part.named_buffers(recurse=False)):
            setattr(part, name, OnGpu(value.clone()))
    return model.eval()
