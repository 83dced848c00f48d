"""Whose turn it is: short analyses do not wait behind long ones, and work that nobody waits for ends.

A few analyses work at the same time; the others wait. Among those that want to work, the ones that have had the
least time so far go first, in four levels: a picture, a sentence or a short clip is done within the first level and
overtakes two hours of sound, which give way at their next checkpoint (``hff.cancel``) and go on afterwards. Waiting
work holds its thread but no lock and no processor. "Multi-level feedback queue" is the name of this in the books.
No stream of short work starves a long one: it rests for guests no longer than it has worked, and who has waited a
minute has a turn. Where no place is left, whoever has the fewest analyses takes the last place of whoever has the most.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hff.cancel import STOPPED, Budget, Cancel, watching
from hff.errors import BusyError
from hff.locale import say

TURNS = 2  # analyses that work at the same time
MOST_WAITING = 16  # analyses that wait for their turn; the next is told that the page is full
LEVELS = (10.0, 60.0, 600.0)  # s of work after which an analysis goes behind those that have had less
PATIENCE_SECONDS = 60.0  # s that an analysis waits at most behind others that have had less ...
FAIR_TURN_SECONDS = 10.0  # ... and then works at least
LANE_LOOK_SECONDS = 0.05  # s between two looks of working analyses at who waits
ASK_SECONDS = 0.5  # s between two looks whether somebody still waits for the answer

MOST_HELD = 3 << 29  # bytes, 1.5 GB, of raw material that all analyses hold: three times two hours of sound
LITTLE_HELD = 1 << 25  # bytes, 32 MB, that each may hold however much the others do: eight minutes of sound

LEFT = say("lanes.left")
REPLACED = say("lanes.replaced")
DISPLACED = say("lanes.displaced")


class Work(Cancel):
    """One analysis: a flag to stop it, the time it has had, and whose it is. Made by ``Lanes.work``."""

    def __init__(
        self, lanes: Lanes, owner: str | None, gone: Callable[[], bool] | None, address: str | None = None
    ) -> None:
        super().__init__()
        self.owner, self.address = owner, address
        self.used = 0.0  # s of work in the turns before this one
        self.since: float | None = None  # when this turn began; None while it waits
        self.waiting_since = lanes.clock()
        self.rested = 0.0  # s that it has made room for guests
        self.keeps_until = 0.0  # a turn that came by patience is kept until then
        self._lanes, self._gone = lanes, gone
        self.held = 0  # bytes of raw material
        self._looked = self._asked = 0.0

    def now(self) -> float:
        """s of work so far: waiting does not count."""
        since = self.since
        return self.used + (0.0 if since is None else self._lanes.clock() - since)

    @property
    def level(self) -> int:
        return bisect(LEVELS, self.now())

    @property
    def long(self) -> bool:
        return self.level > 0

    def check(self) -> None:
        """Raise ``Cancelled`` if the work is to stop; give way to others if it is their turn."""
        self.look_for_asker()
        super().check()
        now = time.monotonic()
        if now - self._looked >= LANE_LOOK_SECONDS:
            self._looked = now
            self._lanes.give_way(self)

    def hold(self, size: int) -> None:
        """Raise ``BusyError`` where the others hold so much that there is no memory for ``size`` bytes."""
        self._lanes.hold(self, size)

    def look_for_asker(self) -> None:
        """Set the flag if whoever asked has gone."""
        now = time.monotonic()
        if self._gone is not None and now - self._asked >= ASK_SECONDS:
            self._asked = now
            if self._gone():
                self.set(LEFT)


class Lanes:
    """Hands out the turns; every method may be called from any thread."""

    def __init__(
        self, turns: int = TURNS, most_waiting: int = MOST_WAITING, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._turns, self._most = turns, most_waiting
        self._works: list[Work] = []  # in the order in which they came
        self._guests: list[float] = []  # when each came
        self._changed = threading.Condition()

    @contextmanager
    def work(
        self,
        owner: str | None = None,
        gone: Callable[[], bool] | None = None,
        tell: Callable[[str], None] | None = None,
        address: str | None = None,
    ) -> Iterator[Work]:
        """A turn for one analysis: waits for it, with sentences to ``tell``, and puts the flag in force.

        owner: the visit that asks. gone: whether its asker has left, asked now and then. address: where it asks from.
        Raises ``BusyError`` where too many wait, ``Cancelled`` at any checkpoint after ``stop``.
        """
        work = Work(self, owner, gone, address)
        with self._changed:
            waiting = sum(other.since is None for other in self._works)
            if waiting >= self._most and not self._displace(address):
                raise BusyError(say("lanes.full", working=len(self._works) - waiting, waiting=waiting))
            self._works.append(work)
        try:
            self._wait(work, tell)
            self._replace_older(work)
            with watching(work), watching(budget=Budget()):
                yield work
        finally:
            with self._changed:
                self._works.remove(work)
                self._changed.notify_all()

    @contextmanager
    def guest(self) -> Iterator[None]:
        """Short work that never waits, such as a slider of the lab's: long analyses rest meanwhile."""
        came = self.clock()
        with self._changed:
            self._guests.append(came)
        try:
            yield
        finally:
            with self._changed:
                self._guests.remove(came)
                self._changed.notify_all()

    def stop(self, owner: str | None, reason: str = STOPPED) -> int:
        """Stop all work of a visit; how many analyses that were."""
        with self._changed:
            works = [work for work in self._works if work.owner == owner]
            for work in works:
                work.set(reason)
            self._changed.notify_all()
        return len(works)

    @property
    def works(self) -> tuple[Work, ...]:
        """All that work or wait, in the order in which they came."""
        with self._changed:
            return tuple(self._works)

    @property
    def waiting(self) -> int:
        with self._changed:
            return sum(work.since is None for work in self._works)

    @property
    def working(self) -> int:
        with self._changed:
            return sum(work.since is not None for work in self._works)

    def hold(self, work: Work, size: int) -> None:
        """As ``Work.hold``. One alone may hold whatever a single clip has."""
        with self._changed:
            others = sum(other.held for other in self._works if other is not work)
            if size > LITTLE_HELD and others and others + size > MOST_HELD:
                raise BusyError(say("lanes.memory"))
            work.held = size

    def give_way(self, work: Work) -> None:
        """Let others go first that have had less; returns when it is the work's turn again."""
        if not work.long:
            return
        self._replace_older(work)
        with self._changed:
            rests = work.since is None  # another thread of it gave way: it goes on when both may
            if not rests:
                if self.clock() < work.keeps_until or not self._others_first(work):
                    return
                self._rest(work)
        if rests:
            self._wait_for_turn_of(work)
        else:
            self._wait(work, None)

    def _wait_for_turn_of(self, work: Work) -> None:
        """Until the thread that gave way for the whole of the work has its turn."""
        while True:
            with self._changed:
                if work.since is not None:
                    return
                self._changed.wait(timeout=ASK_SECONDS)
            Cancel.check(work)

    def _replace_older(self, work: Work) -> None:
        """A visit has one long analysis: the newest."""
        if work.owner is None:
            return
        with self._changed:
            for other in self._works[: self._works.index(work)]:
                if other.owner == work.owner and other.long:
                    other.set(REPLACED)
            self._changed.notify_all()

    def _displace(self, address: str | None) -> bool:
        """Stop the youngest waiting analysis of the address that has the most, if that is more than fair."""
        counts = Counter(work.address for work in self._works if not work.is_set)
        most, count = max(counts.items(), key=lambda item: item[1], default=(None, 0))
        if address is None or most is None or count <= counts[address] + 1:
            return False
        last = next((w for w in reversed(self._works) if w.address == most and w.since is None and not w.is_set), None)
        if last is not None:
            last.set(DISPLACED)
            self._changed.notify_all()
        return last is not None

    def _others_first(self, work: Work) -> bool:
        if self._rests_for_guests(work):
            return True
        return any(other.since is None and other.level < work.level for other in self._works)

    def _rest(self, work: Work) -> None:
        work.used, work.since, work.waiting_since = work.now(), None, self.clock()
        self._changed.notify_all()

    def _wait(self, work: Work, tell: Callable[[str], None] | None) -> None:
        told = None
        while True:
            with self._changed:
                before = self._before(work)
                if before < 0:
                    self._begin(work)
                    return
                if before == told or tell is None:
                    self._changed.wait(timeout=ASK_SECONDS)
            work.look_for_asker()
            Cancel.check(work)
            if tell is not None and before != told:
                told = before
                tell(say("lanes.waiting", before=before))

    def _begin(self, work: Work) -> None:
        now = self.clock()
        if self._has_waited(work):
            work.keeps_until = now + FAIR_TURN_SECONDS
        if work.long:
            work.rested += now - work.waiting_since
        work.since = now
        self._changed.notify_all()

    def _before(self, work: Work) -> int:
        """How many go before a waiting analysis; -1 if it is its turn."""
        working = sum(other.since is not None for other in self._works)
        waiting = sorted((o for o in self._works if o.since is None), key=self._level)  # stable: first come first
        place = waiting.index(work)
        if self._rests_for_guests(work):
            return working + place
        return -1 if place < self._turns - working else working + place

    def _level(self, work: Work) -> int:
        return 0 if self._has_waited(work) else work.level

    def _has_waited(self, work: Work) -> bool:
        return work.since is None and self.clock() - work.waiting_since > PATIENCE_SECONDS

    def _rests_for_guests(self, work: Work) -> bool:
        """Whether a long analysis makes room for guests: in all no longer than it has worked."""
        waited = self.clock() - work.waiting_since if work.since is None else 0.0
        return work.long and self._has_guests() and work.rested + waited <= work.now()

    def _has_guests(self) -> bool:
        """Whether short work is going on; what is not short after all holds up nobody."""
        now = self.clock()
        return any(now - came < LEVELS[0] for came in self._guests)
