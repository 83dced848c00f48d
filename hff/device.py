"""Choosing the compute device."""

from __future__ import annotations

import torch

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
