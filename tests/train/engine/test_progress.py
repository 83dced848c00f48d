"""How far a loop is: lines with an ETA, soon and not too many."""

from __future__ import annotations

import re

from train.engine import progress


def test_lines_tell_how_long_it_will_take(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    for _ in progress.progress(range(100), "finding voices"):
        now[0] += 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "finding voices 2/100, 4.9 min left"  # within the first seconds
    assert all(re.fullmatch(r"finding voices \d+/100, \d+\.\d min left", line) for line in lines)
    assert 10 <= len(lines) <= 20  # one every 20 s of 300 s
    minutes = [float(line.split()[-3]) for line in lines]
    assert minutes == sorted(minutes, reverse=True)
    assert minutes[-1] < 0.5


def test_what_is_done_at_once_says_nothing(capsys):
    assert list(progress.progress([1, 2, 3], "quick")) == [1, 2, 3]
    assert capsys.readouterr().out == ""
