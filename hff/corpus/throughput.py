"""Clips a second in one process, in several and on Ray: ``python -m hff bench --clips 100``.

Each way is the command that a person would type, started anew on copies of the page's examples, and looked at from
outside: when its rows are written, and how much memory each of its processes takes. What it costs to start is told
apart from what a clip costs by two runs, of few clips and of many.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hff
from hff import device as devices
from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import say

FEW_CLIPS = 10  # of the shorter run
LOOK_AT_ROWS_SECONDS = 0.05
LOOK_AT_MEMORY_SECONDS = 0.5
A_MILLION = 1_000_000


@dataclass(frozen=True)
class Timed:
    """One run: its clips, all of its seconds, when each row was there, and the most memory of its largest process."""

    clips: int
    seconds: float
    rows: list[float]  # s from the start
    clip_seconds: float  # the length of a clip, on average
    memory: int  # bytes; 0 where the system does not tell

    @property
    def halves(self) -> float:
        """How much longer the second half of the rows took than the first: 1 where a clip costs the same throughout."""
        middle = self.rows[len(self.rows) // 2]
        return (self.rows[-1] - middle) / max(middle - self.rows[0], 1e-9)


@dataclass(frozen=True)
class Throughput:
    """What a way of reading costs, by its run of few clips and its run of many."""

    way: str
    few: Timed
    many: Timed

    @property
    def clips_a_second(self) -> float:
        """Once it has started."""
        return (self.many.clips - self.few.clips) / max(self.many.seconds - self.few.seconds, 1e-9)

    @property
    def start(self) -> float:
        """s before and after all clips."""
        return self.few.seconds - self.few.clips / self.clips_a_second


def ways_here(jobs: int) -> dict[str, list[str]]:
    """The options of each way of reading that this machine can go."""
    ways = {"one process": [], f"--jobs {jobs}": ["--jobs", str(jobs)]}
    if importlib.util.find_spec("ray") is not None:
        ways[f"Ray, {jobs} workers"] = ["--engine", "ray", "--jobs", str(jobs)]
    return ways


def throughput(
    file: Path | None, device: str, clips: int, ways: dict[str, list[str]], few: int = FEW_CLIPS
) -> list[Throughput]:
    """Print and return what each way costs for copies of ``file``, by default of the page's examples.

    Raises ``HFFError`` where a clip cannot be read.
    """
    few = min(few, max(1, clips // 2))
    sources = [file] if file is not None else sorted(EXAMPLES_FOLDER.glob("*.mp4"))
    chosen, found = devices.choose(device), []
    with tempfile.TemporaryDirectory(prefix="hff-") as folder:
        sizes = [_copies(sources, Path(folder), count) for count in (few, clips)]
        for way, options in ways.items():
            found.append(Throughput(way, *(_timed(way, size, ["--device", device, *options]) for size in sizes)))
    print(f"copies of {', '.join(path.name for path in sources)}, {found[0].many.clip_seconds:.1f} s on average")
    print(f"{os.cpu_count()} processors, the model on {chosen}")
    for line in (*_table(found), *_projection(found)):
        print(line)
    return found


def _copies(sources: Sequence[Path], folder: Path, count: int) -> Path:
    place = folder / str(count)
    place.mkdir()
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        shutil.copyfile(source, place / f"{number:06d}{source.suffix}")
    return place


def _timed(way: str, clips: Path, options: list[str]) -> Timed:
    out, said = clips.parent / "readings.jsonl", clips.parent / "said.txt"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "hff", "analyze", str(clips), "--out", str(out), "--quiet", *options]
    path = os.pathsep.join([str(Path(hff.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    print(f"{way}, {len(list(clips.iterdir()))} clips ...", file=sys.stderr)
    begun = time.perf_counter()
    with (
        _asked_to_end() as asked,
        said.open("w") as errors,
        subprocess.Popen(command, stderr=errors, env=os.environ | {"PYTHONPATH": path}) as program,
    ):
        try:
            times, memory = _watched(program, out, begun, asked)
        finally:
            program.terminate()
    seconds = time.perf_counter() - begun
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    wrong = next((row["error"] for row in rows if "error" in row), None)
    if wrong or program.returncode or not rows:
        raise HFFError(say("bench.failed", way=way, reason=wrong or said.read_text()[-500:].strip()))
    return Timed(len(rows), seconds, times, sum(row["seconds"] for row in rows) / len(rows), memory)


@contextmanager
def _asked_to_end() -> Iterator[list[int]]:
    """A list that grows when somebody ends this program, which would leave the one that it measures behind."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which alone hears of it
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


def _watched(program: subprocess.Popen, out: Path, begun: float, asked: Sequence[int] = ()) -> tuple[list[float], int]:
    """When each line of ``out`` was there, s, and the memory of the largest process, until the program has ended.

    Raises ``SystemExit`` once ``asked`` to end.
    """
    times: list[float] = []
    memory, looked, place = 0, 0.0, 0
    ended = False
    while not ended:
        if asked:
            raise SystemExit(128 + asked[0])
        ended = program.poll() is not None
        now = time.perf_counter() - begun
        if out.exists():
            with out.open("rb") as file:
                file.seek(place)
                new = file.read()
            place += len(new)
            times += [now] * new.count(b"\n")
        if now - looked >= LOOK_AT_MEMORY_SECONDS and not ended:
            looked, memory = now, max(memory, *_peaks(program.pid), 0)
        time.sleep(0 if ended else LOOK_AT_ROWS_SECONDS)
    return times, memory


def _peaks(root: int) -> Iterator[int]:
    """The most memory that a process and each of those that it started had resident so far, bytes; only Linux tells."""
    parents: dict[int, int] = {}
    peaks: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = status.read_text(errors="replace").splitlines()
        except OSError:  # it has ended
            continue
        told = dict(line.split(":", 1) for line in lines if ":" in line)
        number = int(status.parent.name)
        parents[number] = int(told["PPid"])
        peaks[number] = int(told.get("VmHWM", "0 kB").split()[0]) * 1024
    for number, peak in peaks.items():
        above: int | None = number
        while above is not None and above != root:
            above = parents.get(above)
        if above == root:
            yield peak


def _table(found: list[Throughput]) -> Iterator[str]:
    few, many = found[0].few.clips, found[0].many.clips
    yield (
        f"{'':<18}{f'{few} clips, s':>14}{f'{many} clips, s':>16}{'start, s':>10}{'clips/s':>9}{'s of clip/s':>13}"
        f"{'2nd half/1st':>14}{'MiB a worker':>14}"
    )
    for one in found:
        rate = one.clips_a_second
        yield (
            f"{one.way:<18}{one.few.seconds:>14.1f}{one.many.seconds:>16.1f}{one.start:>10.1f}{rate:>9.2f}"
            f"{rate * one.many.clip_seconds:>13.2f}{one.many.halves:>14.2f}{one.many.memory / 2**20:>14.0f}"
        )


def _projection(found: list[Throughput]) -> Iterator[str]:
    length = found[0].many.clip_seconds
    yield f"one million such clips, {A_MILLION * length / 3600:,.0f} hours of them, on one such machine:"
    for one in found:
        rate = one.clips_a_second
        hours = A_MILLION / rate / 3600
        yield (
            f"{one.way:<18}{A_MILLION:,} / {rate:.2f} a second = {A_MILLION / rate:,.0f} s = {hours:,.1f} hours "
            f"= {hours / 24:,.1f} days"
        )
    yield "M machines with a share each (--shard I/M): a part in M of that; a start of each is nothing beside it"
