"""The work on one clip of many that are read side by side: stopped with the others, by a clock of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from hff.cancel import Budget, Cancel, watching
from hff.errors import Cancelled

LOOK_FOR_ROOM_SECONDS = 0.05

T = TypeVar("T")


class ClipWork(Cancel):
    """A flag and a budget for what is done for one clip, in whichever thread; waiting for other clips does not count.

    outer: the flag that stops all clips. budget: one that all share; by default each clip has its own. has_room:
    whether this work may hold so many bytes more; it waits until it may.
    """

    def __init__(
        self,
        outer: Cancel | None = None,
        budget: Budget | None = None,
        has_room: Callable[[ClipWork, int], bool] = lambda work, size: True,
    ) -> None:
        super().__init__()
        self.held = 0  # bytes of raw material
        self._outer, self._has_room = outer, has_room
        self._clock = time.perf_counter if outer is None else outer.now
        self._worked = 0.0  # s, in the pieces before this one
        self._since: float | None = None  # when this piece was begun
        self.budget = budget or Budget(clock=self.now)

    def run(self, piece: Callable[..., T], *arguments: object) -> T:
        """The answer of one piece of the work, with flag and budget in force."""
        self._since = self._clock()
        try:
            with watching(self, self.budget):
                return piece(*arguments)
        finally:
            self._rest()

    def charge(self, seconds: float) -> None:
        """Count the clip's share of what was done for several at once."""
        self._worked += seconds

    def check(self) -> None:
        if self._outer is not None:
            self._outer.check()
        super().check()

    def hold(self, size: int) -> None:
        """Wait until there is room for ``size`` bytes in all."""
        if self._outer is not None:
            self._outer.hold(size)
        self._rest()
        while not self._has_room(self, size):
            self.check()
            time.sleep(LOOK_FOR_ROOM_SECONDS)
        self.held, self._since = size, self._clock()

    def now(self) -> float:
        """s of work so far."""
        since = self._since
        return self._worked + (0.0 if since is None else self._clock() - since)

    def _rest(self) -> None:
        self._worked, self._since = self.now(), None


def attempt(piece: Callable[..., T], *arguments: object) -> T | Exception:
    """Its answer, or the exception that it raised; ``Cancelled`` is raised."""
    try:
        return piece(*arguments)
    except Cancelled:
        raise
    except Exception as error:
        return error
