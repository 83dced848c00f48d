"""Whose turn it is: short work overtakes long work, and a clock of our own decides what is long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from hff.cancel import Budget, both, checkpoint, out_of_time, watching
from hff.config import SAMPLE_RATE
from hff.errors import BusyError, Cancelled
from hff.media.audio import read_audio
from hff.page.session.background_model import Engine
from hff.page.session.lanes import FAIR_TURN_SECONDS, LEVELS, MOST_HELD, PATIENCE_SECONDS, Lanes, Work
from tests.support.page_browser import eventually


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Visitor:
    """Works in a thread of its own, a piece whenever it is let, until it has done ``pieces`` or is stopped."""

    def __init__(
        self,
        lanes: Lanes,
        owner: str | None = None,
        gone: Callable[[], bool] | None = None,
        address: str | None = None,
    ) -> None:
        self.lanes, self.owner, self.gone, self.address = lanes, owner, gone, address
        self.work: Work | None = None
        self.told: list[str] = []
        self.error: Exception | None = None
        self.done = threading.Event()
        self.finish = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self.lanes.work(self.owner, self.gone, self.told.append, self.address) as work:
                self.work = work
                self._work()
        except (Cancelled, BusyError) as error:
            self.error = error
        self.done.set()

    def _work(self) -> None:
        while not self.finish.wait(0.005):
            checkpoint()

    @property
    def has_turn(self) -> bool:
        return self.work is not None and self.work.since is not None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lanes(clock: Clock):
    lanes = Lanes(turns=2, most_waiting=3, clock=clock)
    visitors: list[Visitor] = []
    lanes.visit = lambda *arguments: visitors.append(Visitor(lanes, *arguments)) or visitors[-1]
    yield lanes
    for visitor in visitors:
        visitor.finish.set()
        lanes.stop(visitor.owner)
    assert all(visitor.done.wait(60) for visitor in visitors)
    assert lanes.working == lanes.waiting == 0


def long_work(lanes: Lanes, clock: Clock, count: int = 2, seconds: float = LEVELS[1] + 1) -> list[Visitor]:
    """So many analyses that have had so much time already."""
    visitors = [lanes.visit(f"long {number}") for number in range(count)]
    assert eventually(lambda: all(visitor.has_turn for visitor in visitors))
    clock.time += seconds
    return visitors


def test_short_work_overtakes_two_long_ones_which_go_on_afterwards(lanes, clock):
    long = long_work(lanes, clock)
    short = lanes.visit("short")
    assert eventually(lambda: short.has_turn)
    assert eventually(lambda: sum(visitor.has_turn for visitor in long) == 1)
    short.finish.set()
    assert short.done.wait(60)
    assert eventually(lambda: all(visitor.has_turn for visitor in long))
    assert not any(visitor.done.is_set() for visitor in long)


class Pair(Visitor):
    """Works in two threads, and counts the pieces of each."""

    def _work(self) -> None:
        self.pieces = [0, 0]

        def count(number: int) -> None:
            while not self.finish.wait(0.005):
                checkpoint()
                self.pieces[number] += 1

        both(lambda: count(0), lambda: count(1))

    def goes_on(self) -> list[bool]:
        before = list(self.pieces)
        time.sleep(1.0)
        return [now > then for now, then in zip(self.pieces, before, strict=True)]


def test_work_in_two_threads_gives_way_and_goes_on_as_a_whole(lanes, clock):
    pair, other = Pair(lanes, "pair"), lanes.visit("other")
    assert eventually(lambda: pair.has_turn and other.has_turn)
    clock.time += LEVELS[0] + 1
    shorts = [lanes.visit("short"), lanes.visit("shorter")]
    assert eventually(lambda: all(short.has_turn for short in shorts))
    assert eventually(lambda: pair.goes_on() == [False, False])
    assert pair.work.now() == LEVELS[0] + 1
    for short in shorts:
        short.finish.set()
    assert eventually(lambda: pair.goes_on() == [True, True])
    pair.finish.set()
    assert pair.done.wait(60)
    assert pair.error is None


def test_a_long_one_waits_for_long_ones_that_have_had_less(lanes, clock):
    first, second = long_work(lanes, clock)
    third = lanes.visit("third")
    assert eventually(lambda: third.has_turn)
    resting = next(visitor for visitor in (first, second) if not visitor.has_turn)
    used = resting.work.now()
    clock.time += LEVELS[0] + 1  # now the third is long too, but has had less than the others
    assert not eventually(lambda: resting.has_turn, 1)
    assert resting.work.now() == used  # waiting is not work
    clock.time += LEVELS[2]
    assert eventually(lambda: resting.has_turn)


def test_work_of_the_same_kind_goes_in_the_order_in_which_it_came(lanes):
    one, two = lanes.visit("one"), lanes.visit("two")
    assert eventually(lambda: one.has_turn and two.has_turn)
    three = lanes.visit("three")
    assert eventually(lambda: three.told == ["Waiting for a turn; 2 before this one"])
    four = lanes.visit("four")
    assert eventually(lambda: four.told == ["Waiting for a turn; 3 before this one"])
    one.finish.set()
    assert eventually(lambda: three.has_turn and not four.has_turn)
    assert eventually(lambda: four.told[-1] == "Waiting for a turn; 2 before this one")


def test_a_full_queue_says_so_with_a_number(lanes):
    inside = [lanes.visit(str(number)) for number in range(5)]
    assert eventually(lambda: lanes.working == 2 and lanes.waiting == 3)
    late = lanes.visit("late")
    assert late.done.wait(60)
    assert str(late.error) == ("The page is busy (analyses at work: 2, waiting: 3). Try again in a few minutes.")
    inside[0].finish.set()
    assert eventually(lambda: lanes.waiting == 2)
    assert eventually(lambda: lanes.visit("later").thread.is_alive())


def test_one_address_cannot_take_every_place(lanes):
    """Its youngest waiting analysis makes room for others, until everybody has about as many."""
    greedy = [lanes.visit(str(number), None, "10.0.0.1") for number in range(5)]
    assert eventually(lambda: lanes.working == 2 and lanes.waiting == 3)
    own = lanes.visit("one more", None, "10.0.0.1")
    assert own.done.wait(60)
    assert "analyses at work: 2" in str(own.error)
    other = lanes.visit("other", None, "10.0.0.2")
    assert eventually(lambda: sum(visitor.done.is_set() for visitor in greedy) == 1)
    (displaced,) = (visitor for visitor in greedy if visitor.done.is_set())
    assert "more analyses waited than from any other" in str(displaced.error)
    assert not other.done.is_set()
    for visitor in greedy:
        visitor.finish.set()
    assert eventually(lambda: other.has_turn)


def test_where_places_are_shared_fairly_a_full_queue_stays_full(lanes):
    for number in range(5):
        lanes.visit(str(number), None, f"10.0.0.{number % 3}")
    assert eventually(lambda: lanes.working == 2 and lanes.waiting == 3)
    late = lanes.visit("late", None, "10.0.0.2")
    assert late.done.wait(60)
    assert isinstance(late.error, BusyError)


def test_a_visit_has_one_long_analysis_the_newest(lanes, clock):
    (older,) = long_work(lanes, clock, 1)
    other = lanes.visit("other")
    newer = lanes.visit(older.owner)
    assert older.done.wait(60)
    assert "one long analysis at a time" in str(older.error)
    assert eventually(lambda: newer.has_turn and other.has_turn)


def test_short_analyses_of_one_visit_do_not_disturb_each_other_until_they_are_long(lanes, clock):
    one, two = lanes.visit("same"), lanes.visit("same")
    assert eventually(lambda: one.has_turn and two.has_turn)
    clock.time += LEVELS[0] / 2
    assert not one.done.wait(0.5)
    clock.time += LEVELS[0]
    assert one.done.wait(60)
    assert eventually(lambda: two.has_turn)
    assert not two.done.is_set()


def test_who_leaves_ends_its_work_whether_it_works_or_waits(lanes):
    left = threading.Event()
    visitors = [lanes.visit(str(number), left.is_set) for number in range(4)]
    assert eventually(lambda: lanes.working == 2 and lanes.waiting == 2)
    left.set()
    for visitor in visitors:
        assert visitor.done.wait(60)
        assert "nobody waits" in str(visitor.error)
    assert lanes.working == lanes.waiting == 0


def test_stop_ends_a_visits_work_and_no_other(lanes):
    one, two, three = (lanes.visit(owner) for owner in ("mine", "yours", "mine"))
    assert eventually(lambda: lanes.working == 2 and lanes.waiting == 1)
    assert lanes.stop("mine") == 2
    assert one.done.wait(60)
    assert three.done.wait(60)
    assert eventually(lambda: two.has_turn)
    assert not two.done.is_set()


def test_no_stream_of_guests_starves_long_work(lanes, clock):
    """It rests for them as long as it has worked, and no longer, though there is always a fresh one."""
    (long,) = long_work(lanes, clock, 1, LEVELS[0] + 1)
    with lanes.guest():
        assert eventually(lambda: not long.has_turn)
        clock.time += LEVELS[0] / 2
    with lanes.guest():
        assert not eventually(lambda: long.has_turn, 1)
        clock.time += LEVELS[0]
        with lanes.guest():
            assert eventually(lambda: long.has_turn)
            assert not eventually(lambda: not long.has_turn, 1)


def test_no_stream_of_short_work_starves_long_work(lanes, clock):
    """Who has waited a minute has a turn and keeps it for a while, though others have had less."""
    long = long_work(lanes, clock)
    short = [lanes.visit("short"), lanes.visit("short too")]
    assert eventually(lambda: all(visitor.has_turn for visitor in short))
    assert eventually(lambda: not any(visitor.has_turn for visitor in long))
    more = lanes.visit("more")
    clock.time += PATIENCE_SECONDS + 1
    short[0].finish.set()
    assert eventually(lambda: any(visitor.has_turn for visitor in long))
    assert not more.has_turn
    assert not eventually(lambda: more.has_turn, 1)
    clock.time += FAIR_TURN_SECONDS + 1
    assert eventually(lambda: more.has_turn)


def test_long_work_rests_while_a_guest_is_there_but_not_for_ever(lanes, clock):
    (long,) = long_work(lanes, clock, 1)
    with lanes.guest():
        assert eventually(lambda: not long.has_turn)
        assert eventually(lambda: lanes.visit("short").has_turn)
        clock.time += LEVELS[0]
        assert eventually(lambda: long.has_turn)
    with lanes.guest():
        assert eventually(lambda: not long.has_turn)
    assert eventually(lambda: long.has_turn)


def test_all_analyses_together_hold_no_more_than_there_is_memory_for(lanes):
    first, second = lanes.visit("first"), lanes.visit("second")
    assert eventually(lambda: first.has_turn and second.has_turn)
    ten_minutes = 8000, np.zeros(8000 * 600, np.int16)
    with watching(first.work):
        assert len(read_audio(ten_minutes)) == 600 * SAMPLE_RATE
    first.work.hold(2 * MOST_HELD)  # one alone may have whatever a clip has
    with watching(second.work):
        assert len(read_audio((8000, ten_minutes[1][:8000]))) == SAMPLE_RATE  # what is short is read all the same
        with pytest.raises(BusyError, match="no memory"):
            read_audio(ten_minutes)
        first.finish.set()
        assert first.done.wait(60)
        assert len(read_audio(ten_minutes)) == 600 * SAMPLE_RATE


def test_a_budget_does_not_count_the_time_of_waiting(lanes, clock):
    with lanes.work("mine"), watching(budget=Budget(100)):
        clock.time += 99
        assert not out_of_time()
    with lanes.work("mine") as work, watching(budget=Budget(100)):
        work.used, work.since = work.now(), None
        clock.time += 1000
        work.since = clock.time
        assert not out_of_time()
        clock.time += 101
        assert out_of_time()


def test_one_turn_serves_reading_and_analysing():
    engine, seen = Engine(lambda: None), []
    with engine.work("mine") as outer, engine.work("mine") as inner:
        seen.append(inner is outer)
        assert engine.lanes.working == 1
    assert seen == [True]
    assert engine.lanes.working == 0
