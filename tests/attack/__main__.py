"""A longer run by hand: damaged files for as long as it is told, and the table of what came of them.

python -m tests.attack --minutes 30 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_TESTS), str(_TESTS.parent)]

from attack.bombs import BOMBS  # noqa: E402 - the tests' own folder has to be known first
from attack.cases import Case, Table, damaged  # noqa: E402
from attack.damage import DAMAGES  # noqa: E402
from attack.seeds import SEEDS, write_seeds  # noqa: E402
from attack.workers import Worker, run_all  # noqa: E402

WHOLE = 7  # of so many files one goes through the whole model; no divisor of the kinds of damage or formats
TOLD_EVERY = 60.0  # s


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.attack",
        description="Reads damaged files of every format and counts what comes of it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; a case that has begun is finished")
    parser.add_argument("--seed", type=int, default=0, help="another seed is other damage, the same one the same")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that read at once")
    parser.add_argument("--bombs", action="store_true", help="begin with the files that ask for a great deal")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the files that something is wrong with here")
    parser.add_argument("--only", metavar="NAME", help=f"one format, of: {', '.join(seed.name for seed in SEEDS)}")
    return parser.parse_args(arguments)


def cases(seeds: dict[str, Path], options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Each format in turn, each damage in turn, until the time is up."""
    until = time.monotonic() + 60 * options.minutes
    if options.bombs:
        for number, bomb in enumerate(BOMBS):
            path = folder / f"bomb-{number}.{bomb.ending}"
            bomb.write(path)
            yield Case(f"bombs: {bomb.name}", path, bomb.role, budget=10.0)
    names = [options.only] if options.only else list(seeds)
    for number in itertools.count():
        for place, name in enumerate(names):
            if time.monotonic() > until:
                return
            # Files of two formats must not meet under one name.
            inside = folder / name.replace(" ", "_")
            inside.mkdir(exist_ok=True)
            (case,) = damaged(seeds, name, [number], options.seed, inside)
            case = replace(case, name=f"{name}: {case.name}")
            yield replace(case, how="analyze") if (number + place) % WHOLE == 0 else case


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if anything was wrong."""
    options = parse(arguments)
    table, told = Table(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hff-attack-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        healthy = Path(temporary) / "healthy"
        healthy.mkdir()
        seeds = write_seeds(healthy)
        warm = [Case("warm up", seeds["mp4"], "video", "analyze"), Case("warm up", seeds["jpg"], "image")]
        workers = [Worker(warm) for _ in range(options.jobs)]
        try:
            for outcome in run_all(workers, cases(seeds, options, folder)):
                table.add(outcome.case.split(":")[0], outcome)
                if not outcome.good:
                    print(outcome, flush=True)
                if time.monotonic() - told > TOLD_EVERY:
                    told = time.monotonic()
                    print(f"{table.total.total()} files", file=sys.stderr, flush=True)
        finally:
            for worker in workers:
                worker.close()
    print(f"\n{len(SEEDS)} formats, {len(DAMAGES)} kinds of damage, seed {options.seed}\n{table}")
    return 1 if table.bad else 0


if __name__ == "__main__":
    sys.exit(main())
