"""Choosing the compute device."""

from __future__ import annotations

import torch

from hff.errors import DeviceError


def choose(name: str = "auto") -> torch.device:
    """ "auto" takes CUDA, else Apple's MPS, else the CPU; a device that is not there raises ``DeviceError``."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f'Unknown device "{name}": use auto, cpu, cuda, cuda:1 or mps.') from error
    if not available.get(device.type, False):
        there = ", ".join(kind for kind, there in available.items() if there)
        raise DeviceError(f'Device "{name}" is not available on this machine; available: {there}.')
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f'Device "{name}" does not exist; this machine has {torch.cuda.device_count()} GPUs.')
    return device
