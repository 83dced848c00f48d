"""Batches made ahead of time, while a GPU works on those before.

A thread takes each batch from its maker, which moves it to the GPU too, so the GPU need not wait for the CPU. On a CPU,
which would only have to share its cores, batches are made in turn.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import torch

AHEAD = 4  # batches that wait at most
_END = object()


def ahead(batches: Iterable[Any], device: torch.device, count: int = AHEAD) -> Iterator[Any]:
    """The same batches in the same order; for a GPU ``count`` of them are made ahead. What their maker raises, this
    raises at its place."""
    if device.type == "cpu":
        yield from batches
        return
    yield from _ahead(batches, count)


def _ahead(batches: Iterable[Any], count: int) -> Iterator[Any]:
    waiting: queue.Queue[Any] = queue.Queue(count)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for batch in batches:
                if not put((batch, None)):
                    return
            put((_END, None))
        except BaseException as error:  # handed on to whoever waits for the batch
            put((_END, error))

    maker = threading.Thread(target=make, name="batches", daemon=True)
    maker.start()
    try:
        while True:
            batch, error = waiting.get()
            if error is not None:
                raise error
            if batch is _END:
                return
            yield batch
    finally:
        stopped.set()
        maker.join()
