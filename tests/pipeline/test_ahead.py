"""Clips read in threads ahead of the model: in order, within bounds, each stopped and counted by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hff.cancel import Budget, Cancel, checkpoint, current_budget, holding, out_of_time, watching
from hff.errors import Cancelled, InputError
from hff.pipeline import ahead
from hff.pipeline.ahead import OnShelf, ToRead, batches_ahead
from hff.pipeline.clip_work import ClipWork
from hff.pipeline.recording import Recording


@pytest.fixture(autouse=True)
def two_readers(monkeypatch):
    """Whatever machine the tests run on."""
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 4)


def recorded(seconds: float = 1.0) -> Recording:
    return Recording(seconds, np.zeros(round(16_000 * seconds), np.float32))


def names(batches: Iterator[list[OnShelf]]) -> list[list[str]]:
    return [[one.clip.name for one in batch] for batch in batches]


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def test_what_was_read_meanwhile_is_the_next_batch_and_no_more_than_that_is_read_ahead():
    begun: list[int] = []

    def read(number: int) -> Recording:
        begun.append(number)
        if number == 1:
            time.sleep(0.2)  # a later clip is read earlier
        return recorded()

    found = []
    for batch in batches_ahead((ToRead(n, lambda n=n: read(n)) for n in range(20)), 4):
        numbers = [one.clip.name for one in batch]
        assert all(isinstance(one.material(), Recording) for one in batch)
        found.append(numbers)
        wait_until(lambda last=numbers[-1]: len(begun) >= min(20, last + 4))  # while the model works, if it is slow
        assert max(begun) < numbers[0] + 8
    assert [number for numbers in found for number in numbers] == list(range(20))
    assert max(map(len, found)) == 4


def test_alone_each_is_read_when_it_is_asked_for_and_by_whoever_asks():
    threads: list[int] = []

    def read() -> Recording:
        threads.append(threading.get_ident())
        return recorded()

    batches = batches_ahead([ToRead("a", read), ToRead("b", read)], 1)
    (first,) = next(batches)
    assert threads == []
    first.material()
    assert len(threads) == 1
    (second,) = next(batches)
    second.material()
    assert threads == [threading.get_ident()] * 2


def test_what_needs_those_before_it_is_read_after_them():
    seen: list[str] = []

    def read(name: str, seconds: float) -> Recording:
        time.sleep(seconds)
        seen.append(name)
        return recorded()

    clips = [
        ToRead("whole", lambda: read("whole", 0.3)),
        ToRead("part", lambda: read("part", 0), ahead=False),
        ToRead("other", lambda: read("other", 0)),
    ]
    for batch in batches_ahead(clips, 3):
        for one in batch:
            one.material()
    assert seen.index("whole") < seen.index("part")
    assert seen.index("other") < seen.index("whole")


def test_a_bad_clip_is_told_where_it_is_taken():
    def bad() -> Recording:
        raise InputError("This is refused.")

    (batch,) = [[*batch] for batch in batches_ahead([ToRead("bad", bad)], 2)]
    with pytest.raises(InputError, match="refused"):
        batch[0].material()


def test_a_long_clip_waits_until_it_is_the_oldest(monkeypatch):
    """And then what comes after it waits."""
    monkeypatch.setattr(ahead, "AHEAD_BYTES", 200_000)
    held: list[str] = []

    def read(name: str, seconds: float) -> Recording:
        holding(round(64_000 * seconds))
        held.append(name)
        return recorded(seconds)

    batches = batches_ahead([ToRead(n, lambda n=n, s=s: read(n, s)) for n, s in (("a", 1), ("long", 9), ("b", 1))], 3)
    (first,) = next(batches)
    assert first.clip.name == "a"
    wait_until(lambda: "b" in held)  # for which there is room
    time.sleep(0.2)
    assert held == ["a", "b"]
    assert [one.clip.name for one in next(batches)] == ["long"]
    assert held == ["a", "b", "long"]
    assert [one.clip.name for one in next(batches)] == ["b"]


def test_a_generator_that_is_left_stops_its_readers():
    ended = threading.Event()

    def endless() -> Recording:
        try:
            while True:
                checkpoint()
                time.sleep(0.01)
        finally:
            ended.set()

    batches = batches_ahead([ToRead("a", recorded), ToRead("endless", endless), ToRead("never", endless)], 4)
    next(batches)
    begun = time.perf_counter()
    batches.close()
    assert ended.is_set()
    assert time.perf_counter() - begun < 5


def test_a_flag_that_is_set_stops_all():
    cancel = Cancel()

    def read() -> Recording:
        cancel.set("Enough.")
        checkpoint()
        return recorded()

    with pytest.raises(Cancelled, match="Enough"):
        next(batches_ahead([ToRead("a", read)], 2, cancel))[0].material()


def test_each_clip_s_budget_counts_its_own_work_alone():
    """Not what it waits for others, nor for room."""
    time_now = [0.0]

    class Clocked(Cancel):
        def now(self) -> float:
            return time_now[0]

    def work(seconds: float) -> bool:
        time_now[0] += seconds
        return out_of_time()

    room = iter([False, True])

    def has_room(work: ClipWork, size: int) -> bool:
        time_now[0] += 10_000
        return next(room)

    one = ClipWork(Clocked(), has_room=has_room)
    assert not one.run(work, 1000)
    time_now[0] += 5000  # of other clips
    one.run(holding, 5)
    assert one.now() == 1000
    assert one.held == 5
    one.charge(700)
    assert not one.run(work, 100)
    assert one.run(work, 1)


def test_a_budget_that_is_in_force_is_that_of_all():
    shared = Budget(5.0)
    with watching(budget=shared):
        assert ClipWork(None, shared).run(current_budget) is shared
    assert ClipWork().run(current_budget) is not ClipWork().run(current_budget)
