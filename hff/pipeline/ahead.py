"""The raw material of many clips, read in threads ahead of the model, and given to it in batches.

The model never waits for a fuller batch: while reading is slower it has time to spare, and while it is slower itself,
the clips that are read meanwhile are the next batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hff.cancel import Budget, Cancel
from hff.pipeline.clip_work import ClipWork
from hff.pipeline.recording import Recording

CLIPS_TOGETHER = 8
AHEAD_BYTES = 64_000_000  # of raw material beside the oldest clip's: a quarter of an hour of film
MAX_READERS = 4  # threads: in a process words are found for one clip at a time, and so are faces
# Between two looks whether somebody pressed Ctrl-C, where a system cannot tell while one waits.
LOOK_FOR_STOP_SECONDS = 0.2


@dataclass(frozen=True)
class ToRead:
    """A clip that is to be read; ``name`` is whatever its asker knows it by."""

    name: Any
    read: Callable[[], Recording]
    ahead: bool = True  # False: by whoever takes it, once all before it are read


@dataclass
class OnShelf:
    """A clip that is read, or soon will be."""

    clip: ToRead
    work: ClipWork
    reading: Future[Recording] | None = None

    @property
    def is_ready(self) -> bool:
        return self.reading is None or self.reading.done()

    def material(self) -> Recording:
        """Raises what reading it raises."""
        return self.work.run(self.clip.read) if self.reading is None else self.reading.result()


def batches_ahead(
    clips: Iterable[ToRead], most: int, cancel: Cancel | None = None, budget: Budget | None = None
) -> Iterator[list[OnShelf]]:
    """All clips in their order, in batches of at most ``most``, while threads read the next ones.

    With ``most`` 1 each is read when it is asked for, by whoever asks. cancel, budget: of all clips, see ``ClipWork``.
    Beside the oldest clip no more than ``AHEAD_BYTES`` are held: a longer one waits until it is the oldest itself. A
    batch is emptied when the next one is asked for.
    """
    shelf: list[OnShelf] = []

    def has_room(work: ClipWork, size: int) -> bool:
        there = [one.work for one in list(shelf)]
        others = sum(other.held for other in there if other is not work)
        return others + size <= AHEAD_BYTES or there[:1] == [work]

    def put(clip: ToRead) -> None:
        if most == 1 or not clip.ahead:
            shelf.append(OnShelf(clip, ClipWork(cancel, budget)))
            return
        work = ClipWork(cancel, budget, has_room)
        shelf.append(OnShelf(clip, work, readers.submit(copy_context().run, work.run, _read, work, clip.read)))

    readers = ThreadPoolExecutor(max(1, min(MAX_READERS, (os.cpu_count() or 1) // 2)), "hff-reader")
    try:
        source = iter(clips)
        while True:
            for clip in islice(source, (1 if most == 1 else 2 * most) - len(shelf)):
                put(clip)
            if not shelf:
                return
            while not shelf[0].is_ready:
                wait([one.reading for one in shelf if one.reading][:1], LOOK_FOR_STOP_SECONDS)
            batch = _ready(shelf, most)
            yield batch
            del shelf[: len(batch)]
            batch.clear()  # whoever has it still would keep the raw material
    finally:
        for one in shelf:
            one.work.set()
        readers.shutdown(cancel_futures=True)


def _read(work: ClipWork, read: Callable[[], Recording]) -> Recording:
    work.hold(0)
    material = read()
    work.held = (0 if material.wave is None else material.wave.nbytes) + sum(
        face.crop.nbytes for face in material.faces
    )
    return material


def _ready(shelf: Iterable[OnShelf], most: int) -> list[OnShelf]:
    """The oldest clip, and those after it that are read already."""
    batch: list[OnShelf] = []
    for one in islice(shelf, most):
        if not one.is_ready or (batch and sum(other.work.held for other in (*batch, one)) > AHEAD_BYTES):
            break
        batch.append(one)
    return batch
