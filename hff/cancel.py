"""Work that can be stopped, and work that has had enough: a flag and a budget that every stage looks at.

    cancel = Cancel()
    model.analyze(video="lecture.mp4", cancel=cancel)    # in one thread
    cancel.set()                                         # in another: the first raises Cancelled

The stages call ``checkpoint()`` between two pieces of work (a frame, a batch, a block of sound), and ask
``out_of_time()`` where they can go on with what they have. Both look at what ``watching`` put in force in their
thread, so that a model or a decoder needs no parameter for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

from hff.errors import Cancelled
from hff.locale import say

BUDGET_SECONDS = 1800.0  # s of work for one clip: two hours of film take about as long on two slow cores

First = TypeVar("First")
Second = TypeVar("Second")
Done = TypeVar("Done")

_cancel: ContextVar[Cancel | None] = ContextVar("cancel", default=None)
_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)

STOPPED = say("lanes.stopped")


class Cancel:
    """A flag that any thread may set, once and for ever."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self._reason = ""

    def set(self, reason: str = STOPPED) -> None:
        """Stop the work at its next checkpoint; ``reason`` is the sentence that it ends with. The first one counts."""
        if not self._set.is_set():
            self._reason = reason
            self._set.set()

    @property
    def is_set(self) -> bool:
        return self._set.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if the flag is set."""
        if self._set.is_set():
            raise Cancelled(self._reason)

    def hold(self, size: int) -> None:
        """The work is about to hold ``size`` bytes of raw material; a stage says so before it takes them."""

    def now(self) -> float:
        """The clock of the work, s, that a budget counts by."""
        return time.perf_counter()


class PartFlag(Cancel):
    """The flag of a part of some work: the part ends with the whole, or alone."""

    def __init__(self, whole: Cancel | None) -> None:
        super().__init__()
        self._whole = whole or Cancel()

    def check(self) -> None:
        self._whole.check()
        super().check()

    def hold(self, size: int) -> None:
        self._whole.hold(size)

    def now(self) -> float:
        return self._whole.now()


class Budget:
    """Seconds of work that a clip may take; it counts from when it is made.

    The clock is the wall's, less what the work spent waiting for its turn (``Cancel.now``). Processor time would be
    fairer on a busy machine but cannot be had: a thread's leaves out what FFmpeg, PyTorch and CTranslate2 do in
    threads of their own, and the process's counts other people's work.
    """

    def __init__(self, seconds: float = BUDGET_SECONDS, clock: Callable[[], float] | None = None) -> None:
        current = _cancel.get()
        self._clock = clock or (current.now if current is not None else time.perf_counter)
        self.seconds = seconds
        self._begun = self._clock()

    @property
    def spent(self) -> bool:
        return self._clock() - self._begun > self.seconds

    @property
    def sentence(self) -> str:
        """What a person is told when it is used up."""
        if self.seconds >= 120:
            return say("budget.minutes", amount=self.seconds / 60)
        return say("budget.seconds", amount=float(self.seconds))


@contextmanager
def watching(cancel: Cancel | None = None, budget: Budget | None = None) -> Iterator[None]:
    """Put a flag and a budget in force in this thread; None leaves what is in force already."""
    flag = _cancel.set(cancel) if cancel is not None else None
    limit = _budget.set(budget) if budget is not None else None
    try:
        checkpoint()
        yield
    finally:
        if limit is not None:
            _budget.reset(limit)
        if flag is not None:
            _cancel.reset(flag)


def both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What two pieces of work come to that do not need each other: the second is done in a thread beside this one.

    Flag, budget and all else that is in force here is so there. Where one of them fails the other ends at its next
    checkpoint, and what is raised is what failed; if both did, the first.
    """
    part = PartFlag(current())

    def watched(work: Callable[[], Done]) -> Done:
        try:
            with watching(part):
                return work()
        except BaseException:
            part.set()
            raise

    with ThreadPoolExecutor(1, thread_name_prefix="beside") as beside:
        waited = beside.submit(copy_context().run, watched, second)
        try:
            done = watched(first)
        except Cancelled:
            failed = waited.exception()
            if failed is not None and not isinstance(failed, Cancelled):
                raise failed from None
            raise
        return done, waited.result()


def checkpoint() -> None:
    """Raise ``Cancelled`` if the work in this thread is to stop; cheap enough for every step of a loop."""
    current = _cancel.get()
    if current is not None:
        current.check()


def out_of_time() -> bool:
    """As ``checkpoint``; then whether the budget in force is used up."""
    checkpoint()
    budget = _budget.get()
    return budget is not None and budget.spent


def holding(size: int) -> None:
    """Tell whoever runs the work in this thread how many bytes of raw material it is about to hold."""
    current = _cancel.get()
    if current is not None:
        current.hold(size)


def current() -> Cancel | None:
    """The flag in force in this thread."""
    return _cancel.get()


def current_budget() -> Budget:
    """The budget in force in this thread, or a new one."""
    return _budget.get() or Budget()


def budget_in_force() -> Budget | None:
    """That of this thread."""
    return _budget.get()
