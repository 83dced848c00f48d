"""Processes that read clips side by side, each with a model of its own; one that dies costs one clip."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from hff.corpus.clip_reader import ClipReader, Read
from hff.corpus.clips import Clip
from hff.corpus.rows import ReadOptions, failed
from hff.errors import HFFError
from hff.locale import say
from hff.pipeline.analyzer import Analyzer

log = logging.getLogger(__name__)
Load = Callable[[], Analyzer]  # makes the model, in the process that uses it; picklable


def read_here(load: Load, clips: Iterable[Clip], options: ReadOptions) -> Iterator[Read]:
    """In this process, in their order; threads read the next ones while the model works."""
    return ClipReader(load(), options).read_many(clips)


def read_in_processes(load: Load, clips: Iterable[Clip], options: ReadOptions, jobs: int) -> Iterator[Read]:
    """In ``jobs`` processes, each clip's rows as they come: not in the order of the clips.

    A clip whose process dies gets a row that says so, and a new process takes the dead one's place. Raises
    ``HFFError`` if a process cannot load its model.
    """

    def replace(dead: _Worker) -> Read:
        assert dead.clip is not None, "it died of a clip"
        why = str(say("corpus.clip_died", reason=dead.end()))
        workers[workers.index(dead)] = _Worker(load, options, jobs)
        return Read(dead.clip, failed(dead.clip, options, why))

    waiting = deque(clips)
    workers = [_Worker(load, options, jobs) for _ in range(min(jobs, len(waiting)))]
    try:
        while any(worker.clip for worker in workers) or waiting:
            for worker in workers:
                if worker.clip is None and waiting:
                    worker.give(waiting.popleft())
            for ready in wait([worker.line for worker in workers if worker.clip]):
                worker = next(worker for worker in workers if worker.line is ready)
                read = worker.take()
                yield read or replace(worker)
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """One process and the clip that it has."""

    def __init__(self, load: Load, options: ReadOptions, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, load, options, jobs), daemon=True)
        self.process.start()
        theirs.close()
        self.clip: Clip | None = None

    def give(self, clip: Clip) -> None:
        self.clip = clip
        with suppress(OSError):  # it died while it had nothing to do; ``take`` will find out
            self.line.send(clip)

    def take(self) -> Read | None:
        """What came of the clip; None if the process died of it."""
        try:
            answer = self.line.recv()
        except (EOFError, OSError):
            return None
        if isinstance(answer, HFFError):
            raise answer
        self.clip = None
        return answer

    def end(self) -> str:
        """Make it end; how it did."""
        self.line.close()
        self.process.join(0.5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"status {code}"


def _work(line: Connection, load: Load, options: ReadOptions, jobs: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    try:
        reader = ClipReader(load(), options)
    except HFFError as error:
        line.recv()
        line.send(error)
        return
    with suppress(EOFError, OSError):  # nobody waits any more
        while True:
            line.send(reader.read(line.recv()))
