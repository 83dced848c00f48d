"""Jobs in fresh processes: all are done, in order, in other processes, prepared; an error stops them."""

from __future__ import annotations

import os
from operator import truediv

import pytest

from train.engine.pool import each


def prepare(word: str) -> None:
    os.environ["HFF_POOL_TEST"] = word


def seen(number: int) -> tuple[int, int, str]:
    return number, os.getpid(), os.environ["HFF_POOL_TEST"]


def test_jobs_are_done_in_order_in_other_processes_that_are_prepared():
    found = list(each(seen, [(number,) for number in range(4)], 2, prepare, ("ready",)))
    assert [number for number, _, _ in found] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process, _ in found}
    assert {word for _, _, word in found} == {"ready"}


def test_an_error_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        list(each(truediv, [(1, 0), (1, 1)], 1, prepare, ("ready",)))
