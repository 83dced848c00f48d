"""One attack by a file, what came of it, and the table of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from .damage import DAMAGES
from .seeds import BY_NAME

ROLES = ("video", "audio", "image")
WRONG_ROLE = 0.15  # share of files that are given as what they are not
GOOD = ("clear error", "answered")
BAD = ("crash", "hang", "over 2 GB", "foreign error", "wrong answer", "reached out")


@dataclass(frozen=True)
class Case:
    """A file that is given as ``role`` to ``recording.read`` ("read") or to the whole ``analyze`` ("analyze").

    ``budget``: seconds of work that it may have; None leaves the package's own.
    """

    name: str
    path: Path
    role: str
    how: str = "read"
    transcribe: bool = False
    budget: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a case. ``verdict`` is one of ``GOOD`` and ``BAD``; ``peak`` in bytes, of the whole process."""

    case: str
    verdict: str
    detail: str = ""
    seconds: float = 0.0
    peak: int = 0

    @property
    def good(self) -> bool:
        return self.verdict in GOOD

    def __str__(self) -> str:
        told = f"{self.case}: {self.verdict} after {self.seconds:.1f} s, {self.peak / 1e6:.0f} MB at most"
        return f"{told}\n{self.detail}" if self.detail else told


class Table:
    """Outcomes counted by group."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, Outcome]] = []
        self.counts: dict[str, Counter] = {}
        self.bad: list[Outcome] = []
        self.slowest = self.largest = Outcome("none", "answered")

    def add(self, group: str, outcome: Outcome) -> None:
        self.outcomes.append((group, outcome))
        self.counts.setdefault(group, Counter())[outcome.verdict] += 1
        self.slowest = max(self.slowest, outcome, key=lambda o: o.seconds)
        self.largest = max(self.largest, outcome, key=lambda o: o.peak)
        if not outcome.good:
            self.bad.append(outcome)

    def to_list(self) -> list[tuple[str, dict]]:
        """All of it as JSON holds it: group and ``Outcome`` by its parts."""
        return [(group, asdict(outcome)) for group, outcome in self.outcomes]

    @property
    def total(self) -> Counter:
        return sum(self.counts.values(), Counter())

    def __str__(self) -> str:
        verdicts = GOOD + BAD
        width = max([len(group) for group in self.counts] + [7])
        lines = [f"{'':{width}}  {'tried':>7}" + "".join(f"{verdict:>15}" for verdict in verdicts)]
        for group, count in [*self.counts.items(), ("all", self.total)]:
            cells = "".join(f"{count[verdict]:>15}" for verdict in verdicts)
            lines.append(f"{group:{width}}  {count.total():>7}{cells}")
        lines.append(f"longest: {self.slowest.case}, {self.slowest.seconds:.1f} s")
        lines.append(f"most memory: {self.largest.case}, {self.largest.peak / 1e6:.0f} MB")
        return "\n".join(lines)


def damaged(seeds: dict[str, Path], name: str, numbers: Iterable[int], seed: int, folder: Path) -> Iterator[Case]:
    """Damaged copies of the healthy file ``name``; the same seed and number give the same bytes."""
    healthy = seeds[name].read_bytes()
    for number in numbers:
        chance = Random(f"{seed} {name} {number}")
        damage = DAMAGES[number % len(DAMAGES)]
        other = seeds[chance.choice(sorted(seeds))].read_bytes()
        role = BY_NAME[name].role
        if chance.random() < WRONG_ROLE:
            role = chance.choice(ROLES)
        path = folder / f"{number:05d}{seeds[name].suffix}"
        path.write_bytes(damage(chance, healthy, other) or b"\0")
        yield Case(f"{name} {number} ({damage.__name__.replace('_', ' ')}, as {role}, seed {seed})", path, role)
