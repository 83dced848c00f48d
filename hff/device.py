"""Choosing the compute device, and what is other on a GPU: copies to it, half precision, waiting for it.

Nobody has measured HFF on a GPU yet: that nothing is left on the CPU is tested with made-up tensors of a GPU alone.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar

import torch
from torch import Tensor

from hff.errors import DeviceError
from hff.locale import say


def choose(name: str = "auto") -> torch.device:
    """ "auto" takes CUDA, else Apple's MPS, else the CPU; a device that is not there raises ``DeviceError``."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(say("device.unknown", name=name)) from error
    if not available.get(device.type, False):
        there = ", ".join(kind for kind, there in available.items() if there)
        raise DeviceError(say("device.absent", name=name, there=there))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(say("device.number", name=name, count=torch.cuda.device_count()))
    return device


CPU = torch.device("cpu")


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """``x`` on ``device``; to a GPU from pinned memory, so that the CPU goes on while it is copied."""
    if device.type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


def half_precision(device: torch.device) -> contextlib.AbstractContextManager:
    """Autocast for the encoders: to float16 on a GPU, since their weights are stored in it, and to bfloat16 on a CPU
    that multiplies it: a third to two thirds of the time. Elsewhere nothing changes.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", torch.float16)
    if device.type == "cpu" and multiplies_bfloat16() and not _same_everywhere.get():
        return torch.autocast("cpu", torch.bfloat16)
    return contextlib.nullcontext()


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it (AVX512-BF16, AMX): to emulate it takes 100 times as long."""
    known: dict = getattr(torch.cpu, "get_capabilities", dict)()  # not in every PyTorch that is allowed
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


_same_everywhere: ContextVar[bool] = ContextVar("the same on every processor", default=False)


@contextlib.contextmanager
def same_on_every_cpu() -> Iterator[None]:
    """Encoders compute in float32 on every CPU, for what is kept or compared: features to train on, figures."""
    token = _same_everywhere.set(True)
    try:
        yield
    finally:
        _same_everywhere.reset(token)


def keeps(device: torch.device) -> torch.device:
    """Where a clip's sound and features lie while they are encoded: on a GPU, else on the CPU."""
    return device if device.type == "cuda" else CPU


def wait_for(device: torch.device) -> None:
    """Until a GPU has done what it was told, so that a clock tells its time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
