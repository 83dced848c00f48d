"""Work that is shared by several fresh processes on one machine: trainings that know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def each(
    function: Callable[..., Any], jobs: Iterable[tuple], processes: int, enter: Callable[..., None], given: tuple
) -> Iterator[Any]:
    """What ``function(*job)`` returns for each job, in their order.

    Every process calls ``enter(*given)`` before its first job. An error in a job is raised here, and no job is begun
    after it.
    """
    with ProcessPoolExecutor(processes, get_context("spawn"), enter, given) as pool:
        waiting = [pool.submit(function, *job) for job in jobs]
        try:
            for done in waiting:
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)
