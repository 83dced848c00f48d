"""``hff bench --clips``: the commands themselves, few tiny clips, without Ray."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from hff.corpus.throughput import Throughput, Timed, throughput, ways_here
from hff.errors import HFFError


def test_the_start_is_told_apart_from_what_a_clip_costs():
    few = Timed(10, 12.0, [8.0, 9.0, 10.0], 5.0, 0)
    many = Timed(100, 30.0, [8.0, 18.0, 28.0], 5.0, 0)
    found = Throughput("one process", few, many)
    assert found.clips_a_second == pytest.approx(5)
    assert found.start == pytest.approx(10)
    assert many.halves == pytest.approx(1)
    assert Timed(3, 9.0, [1.0, 2.0, 4.0], 5.0, 0).halves == pytest.approx(2)


def test_ray_is_a_way_where_it_is_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ways_here(3) == {"one process": [], "--jobs 3": ["--jobs", "3"]}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert ways_here(3)["Ray, 3 workers"] == ["--engine", "ray", "--jobs", "3"]


def test_clips_are_read_and_told_with_the_sum_for_a_million(tmp_path: Path, capsys):
    letter = tmp_path / "letter.txt"
    letter.write_text("I am so glad you came.")
    (found,) = throughput(letter, "cpu", 4, {"one process": []})
    assert (found.few.clips, found.many.clips) == (2, 4)
    assert len(found.many.rows) == 4
    assert 0 < found.many.rows[0] <= found.many.rows[-1] <= found.many.seconds
    if sys.platform == "linux":
        assert found.many.memory > 200 * 2**20  # PyTorch alone takes that
    said = capsys.readouterr().out
    assert "copies of letter.txt" in said
    assert "one process" in said.splitlines()[3]
    assert f"1,000,000 / {found.clips_a_second:.2f} a second" in said


def test_a_way_that_cannot_be_gone_says_why(tmp_path: Path):
    letter = tmp_path / "letter.txt"
    letter.write_text("I am so glad you came.")
    with pytest.raises(HFFError, match=r"one process.*nowhere"):
        throughput(letter, "cpu", 2, {"one process": ["--weights", "nowhere"]})


def test_who_is_ended_ends_what_it_measures(tmp_path: Path, monkeypatch):
    """SIGTERM while a way is gone: the program that goes it is gone afterwards, and the signal is as it was."""
    note = tmp_path / "number"
    told = f"open({str(note)!r}, 'w').write(str(os.getpid())); os.kill(os.getppid(), {int(signal.SIGTERM)})"
    slow = f"import os, time; {told}; time.sleep(60)"
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{slow}"\n')
    (tmp_path / "python").chmod(0o755)
    clip = tmp_path / "clip.txt"
    clip.write_text("so glad")
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(SystemExit) as ended:
            throughput(clip, "cpu", 2, {"one process": []})
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
