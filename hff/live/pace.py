"""How much work a live session does for each reading, so that it keeps up on any machine; and how it does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

AIM = 0.1  # s that a reading may take; with what the page needs of each cycle, 8 updates a second
RELAXED = 0.6  # share of ``AIM`` below which more work is tried again
SETTLE = 1.5  # s at one level before the next change
LONGEST_PATIENCE = 60.0  # s at most until more work is tried again where it did not fit before
COST_SMOOTHING = 0.3  # weight of the newest cost in its running mean
RATE_SPAN = 3.0  # s over which updates a second are counted


@dataclass(frozen=True)
class Effort:
    """What a reading may spend: the costly parts run every so many seconds, the rest is kept from before."""

    samples: int  # Monte Carlo draws of equation (20); with 0 the last spread stays on display
    listen_every: float  # s between searches for a voice, with new speech features
    look_every: float  # s between frames looked at


EFFORTS = (
    Effort(samples=16, listen_every=0.0, look_every=0.0),
    Effort(samples=8, listen_every=0.2, look_every=0.12),
    Effort(samples=0, listen_every=0.25, look_every=0.2),
    Effort(samples=0, listen_every=0.33, look_every=0.33),
    Effort(samples=0, listen_every=0.5, look_every=0.5),
)


class Pace:
    """Chooses the effort from what readings cost, and counts updates a second."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.level = 0
        self._trying = False
        self.cost: float | None = None  # s, running mean over readings
        self._changed = clock()
        self._patience = SETTLE  # s before more work is tried
        self._updates: deque[float] = deque()

    @property
    def effort(self) -> Effort:
        return EFFORTS[self.level]

    @property
    def rate(self) -> float:
        """Readings a second, over the last few seconds."""
        if len(self._updates) < 2:
            return 0.0
        return (len(self._updates) - 1) / max(self._updates[-1] - self._updates[0], 1e-6)

    def now(self) -> float:
        return self._clock()

    def spent(self, seconds: float) -> None:
        """Tell what a reading cost, s."""
        now = self._clock()
        self._updates.append(now)
        while now - self._updates[0] > RATE_SPAN:
            self._updates.popleft()
        self.cost = seconds if self.cost is None else self.cost + COST_SMOOTHING * (seconds - self.cost)
        if now - self._changed < SETTLE:
            return
        if self.cost > AIM and self.level < len(EFFORTS) - 1:
            if self._trying:
                self._patience = min(2 * self._patience, LONGEST_PATIENCE)
            self._change(+1, now)
        elif self.cost < RELAXED * AIM and self.level > 0 and now - self._changed >= self._patience:
            self._change(-1, now)
        elif self._trying and now - self._changed > self._patience:
            self._trying, self._patience = False, SETTLE  # it fits

    def _change(self, by: int, now: float) -> None:
        self.level += by
        self._trying = by < 0  # more work than before
        self._changed, self.cost = now, None
