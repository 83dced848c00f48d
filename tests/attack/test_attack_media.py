"""Damaged files of every format: a clear error or an answer that makes sense, never a crash, a hang or 2 GB."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .cases import Case, damaged
from .damage import DAMAGES
from .seeds import SEEDS
from .workers import Worker, run_all

pytestmark = pytest.mark.attack
SEED = 9
EACH = 20  # damaged files of each format
WHOLE = 2 * len(SEEDS)  # damaged files that go through the whole model
WITH_WORDS = 8  # of them, whose words are recognised

NAMES = [seed.name for seed in SEEDS]


def test_there_are_enough_of_them():
    assert len({seed.ending for seed in SEEDS}) >= 20
    assert EACH * len(SEEDS) >= 600
    assert len(DAMAGES) <= EACH, "some damage is never done"


@pytest.mark.parametrize("name", NAMES)
def test_the_healthy_file_is_answered(name, seeds, workers):
    """Damage to what is refused anyway would show nothing."""
    role = next(seed.role for seed in SEEDS if seed.name == name)
    outcome = workers[0].run(Case(name, seeds[name], role))
    assert outcome.verdict == "answered", outcome


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_read_or_refused(name, seeds, workers, table, tmp_path):
    for outcome in run_all(workers, damaged(seeds, name, range(EACH), SEED, tmp_path)):
        table.add(name, outcome)
    assert table.counts[name].total() == EACH
    bad = [outcome for outcome in table.bad if outcome.case.startswith(f"{name} ")]
    assert not bad, "\n\n".join(map(str, bad))


def test_damaged_files_through_the_whole_model(seeds, workers, table, tmp_path):
    cases = []
    for number in range(WHOLE):
        (case,) = damaged(seeds, NAMES[number % len(NAMES)], [1000 + number], SEED, tmp_path)
        cases.append(replace(case, how="analyze", transcribe=number % (WHOLE // WITH_WORDS) == 0))
    outcomes = list(run_all(workers, cases))
    for outcome in outcomes:
        table.add("whole model", outcome)
    assert len(outcomes) == WHOLE
    bad = [outcome for outcome in outcomes if not outcome.good]
    assert not bad, "\n\n".join(map(str, bad))


CULPRITS = {
    "crash": "import signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hang": "while True: pass",
    "over 2 GB": "bytearray(b'x') * (3 << 30)",
    "foreign error": "{}['nothing']",
    "reached out": "import socket; socket.socket().connect_ex(('127.0.0.1', 9))",
}


@pytest.mark.parametrize("verdict", CULPRITS)
def test_the_watch_sees_what_it_is_there_for(verdict, seeds, monkeypatch, tmp_path):
    """A worker that misbehaves is found out: the tests above are not empty."""
    import tests.attack.workers as module

    script = tmp_path / "worker.py"
    source = module.SCRIPT.read_text(encoding="utf-8")
    assert source.count("            attack(case)\n") == 1
    script.write_text(source.replace("attack(case)\n", f"{CULPRITS[verdict]}\n"), encoding="utf-8")
    monkeypatch.setattr(module, "SCRIPT", script)
    with Worker(compute=20) as worker:
        outcome = worker.run(Case("culprit", seeds["wav"], "audio"))
    assert outcome.verdict == verdict, outcome
