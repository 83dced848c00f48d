"""One training on several GPUs, processes or machines, through HF Accelerate.

    accelerate launch --multi_gpu --num_processes 2 -m train fusion --data DIR --out DIR
    accelerate launch --multi_gpu --num_processes 2 -m train fusion --device cpu ...     # two processes on CPUs

Every process makes the same global batch and takes its share of the clips; gradients are averaged, so weights come
out as from one process, within rounding, where the loss is a mean over the batch and nothing in the model
is random or looks across the batch. Dropout and noise are drawn anew in each process. Batch normalisation spans all
GPUs (SyncBatchNorm); between CPU processes each normalises its own share. ``--cpu`` is not the option to use: without
MPI it starts one process only.

Process 0 leads: it alone validates and writes, and tells the others what it found. One process alone needs no
Accelerate.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from hff.errors import DependencyError, HFFError
from hff.locale import say

SEED_STRIDE = 1_000_003  # between the random seeds of two processes
PATIENCE = timedelta(days=2)  # that processes wait for the leader, which does stages like evaluation alone


def rank() -> int:
    """This process' number; 0 leads."""
    return int(os.environ.get("RANK", 0))


def size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_main() -> bool:
    return rank() == 0


@functools.cache
def _accelerator(device_type: str):
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
    except ImportError as error:
        what, command = f"WORLD_SIZE={size()}", "pip install accelerate"
        raise DependencyError(say("package.needed", what=what, package="accelerate", command=command)) from error
    # Heads that only some losses use leave parameters without a gradient.
    options = [DistributedDataParallelKwargs(find_unused_parameters=True), InitProcessGroupKwargs(timeout=PATIENCE)]
    return Accelerator(cpu=device_type == "cpu", kwargs_handlers=options)


def join(device: torch.device) -> torch.device:
    """Meet the other processes, if there are any; returns the device of this one."""
    return _accelerator(device.type).device if size() > 1 else device


def broadcast(value: Any, device: torch.device) -> Any:
    """The leader's ``value`` in every process."""
    if size() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    _accelerator(device.type)
    return broadcast_object_list([value])[0]


def wait(device: torch.device) -> None:
    """Until every process is here."""
    if size() > 1:
        _accelerator(device.type).wait_for_everyone()


def mean(value: Tensor) -> Tensor:
    """The mean of a tensor over the processes."""
    return value if size() == 1 else _accelerator(value.device.type).reduce(value, "mean")


class _Objective(nn.Module):
    """Model and loss as one module: gradients are shared for what passes through ``forward`` only."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, Any], Tensor]) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Any) -> Tensor:
        return self.loss(self.model, batch)


def objective(
    model: nn.Module, loss: Callable[[nn.Module, Any], Tensor], device: torch.device
) -> Callable[[Any], Tensor]:
    """batch -> loss, whose backward pass leaves every process with the gradient of the mean."""
    if size() == 1:
        return functools.partial(loss, model)
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # in place: names and tensors stay
    return _accelerator(device.type).prepare_model(_Objective(model, loss))


def shard(batch: Any) -> tuple[Any, float]:
    """This process' part of a global batch, and the weight of its mean loss in the mean over all.

    A batch is tensors in tuples, lists, dicts or dataclasses; those as long as the first one are cut along their first
    axis, everything else goes to everybody. A batch with a method ``share(rank, size)`` cuts itself, into
    equal parts.
    """
    if size() == 1:
        return batch, 1.0
    if hasattr(batch, "share"):
        return batch.share(rank(), size()), 1.0
    items = _first_length(batch)
    if items is None or items < size():
        raise HFFError(say("training.batch", items=items or 0, processes=size()))
    mine = slice(items * rank() // size(), items * (rank() + 1) // size())
    return _cut(batch, items, mine), (mine.stop - mine.start) * size() / items


def _shards(batch: Any) -> list[Any]:
    if dataclasses.is_dataclass(batch):
        return list(vars(batch).values())
    if isinstance(batch, dict):
        return list(batch.values())
    return list(batch) if isinstance(batch, tuple | list) else []


def _first_length(batch: Any) -> int | None:
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else None
    return next((length for part in _shards(batch) if (length := _first_length(part)) is not None), None)


def _cut(batch: Any, items: int, mine: slice) -> Any:
    if isinstance(batch, Tensor):
        return batch[mine] if batch.ndim and len(batch) == items else batch
    parts = [_cut(part, items, mine) for part in _shards(batch)]
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        return type(batch)(*parts)
    if isinstance(batch, dict):
        return dict(zip(batch, parts, strict=True))
    return type(batch)(parts) if isinstance(batch, tuple | list) else batch
