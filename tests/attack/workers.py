"""Processes that read hostile files, watched from outside: a crash, a hang or too much memory ends only the worker."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import psutil

import hff

from .cases import Case, Outcome

MEMORY = 2 << 30  # bytes, of the whole process
COMPUTE = 60.0  # s of processor time for one file
WAIT = 600.0  # s by the clock for one file, however busy the machine is
STARTING = 180.0  # s of processor time for the first, which loads every library
_LOOK = 0.03  # s between two looks at the worker
_ROOT = Path(hff.__file__).parents[1]
SCRIPT = Path(__file__).with_name("worker.py")


class Worker:
    """One process at a time; a new one after each that had to be ended.

    ``warm`` is a healthy case, read first in each process, so that no library is loaded within a hostile one.
    """

    def __init__(self, warm: Iterable[Case] = (), memory: int = MEMORY, compute: float = COMPUTE) -> None:
        self.warm, self.memory, self.compute = list(warm), memory, compute
        self._process: subprocess.Popen | None = None

    def run(self, case: Case) -> Outcome:
        if self._process is None:
            self._start()
        outcome = self._ask(case, self.compute)
        if outcome.verdict in ("crash", "hang", "over 2 GB"):
            self.close()
        return outcome

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._log.close()
            self._process = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(SCRIPT)],
            cwd=_ROOT,
            text=True,
            stderr=self._log,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        self._watched = psutil.Process(self._process.pid)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_pass_on, args=(self._process.stdout, self._lines), daemon=True).start()
        for case in self.warm:
            outcome = self._ask(case, STARTING)
            if outcome.verdict not in ("answered", "reached out"):  # it loads files: that is what this is for
                raise RuntimeError(f"A healthy file is not read: {outcome}")

    def _ask(self, case: Case, compute: float) -> Outcome:
        begun, used, largest = time.monotonic(), self._compute(), 0

        def ended(verdict: str, detail: str) -> Outcome:
            return Outcome(case.name, verdict, detail, time.monotonic() - begun, largest)

        asked = asdict(case) | {"path": str(case.path)}
        try:
            print(json.dumps(asked), file=self._process.stdin, flush=True)
        except OSError:
            return ended("crash", self._said())
        while True:
            try:
                line = self._lines.get(timeout=_LOOK)
            except queue.Empty:
                largest = max(largest, self._memory())
                if largest > self.memory:
                    return ended("over 2 GB", "")
                if self._compute() - used > compute or time.monotonic() - begun > WAIT:
                    return ended("hang", "")
                continue
            if not line:
                self._process.wait()
                return ended("crash", f"exit status {self._process.returncode}\n{self._said()}")
            answer = json.loads(line)
            if max(answer["peak"], largest) > self.memory:
                answer["verdict"] = "over 2 GB"
            return Outcome(case.name, **answer)

    def _memory(self) -> int:
        return self._watch(lambda process: process.memory_info().rss)

    def _compute(self) -> float:
        return self._watch(lambda process: sum(process.cpu_times()[:2]))

    def _watch(self, look: Callable[[psutil.Process], float]) -> float:
        try:
            return look(self._watched)
        except psutil.NoSuchProcess:
            return 0

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]


def _pass_on(stream, lines: queue.Queue[str]) -> None:
    """Lines of a pipe into a queue; an empty one at its end."""
    for line in stream:
        lines.put(line)
    lines.put("")


def run_all(workers: list[Worker], cases: Iterable[Case]) -> Iterator[Outcome]:
    """Cases spread over the workers; outcomes as they come. The files of good outcomes are removed."""
    source, lock, done = iter(cases), threading.Lock(), queue.Queue()

    def work(worker: Worker) -> None:
        try:
            while True:
                with lock:
                    case = next(source, None)
                if case is None:
                    return
                outcome = worker.run(case)
                if outcome.good:
                    case.path.unlink()
                done.put(outcome)
        except BaseException as error:
            done.put(error)
        finally:
            done.put(None)

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    waiting = len(threads)
    while waiting:
        outcome = done.get()
        if outcome is None:
            waiting -= 1
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            yield outcome
