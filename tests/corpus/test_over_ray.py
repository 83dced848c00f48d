"""Many clips on a Ray cluster of this machine: the rows of one process, whatever becomes of the workers."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

import pytest

from hff.config import EMOTIONS
from hff.corpus import growing_table, over_ray
from hff.corpus.run import Order, run
from hff.errors import DependencyError, InputError
from tests.support import quick_model


def no_model():
    raise InputError("no weights")


def test_two_workers_give_the_rows_of_one_process_and_a_deadly_clip_costs_itself(tmp_path: Path, monkeypatch, capsys):
    temporary = tempfile.mkdtemp(prefix="t-")
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    files = [tmp_path / f"{name}.txt" for name in ("a", "deadly", "refused", *"bcd")]
    for path in files:
        path.write_text(f"This letter is {path.stem}.")
    order = Order(quick_model.load, EMOTIONS, files, out=tmp_path / "ray.jsonl", jobs=2, engine="ray")

    def kill_after_the_second(reads, count):
        for number, read in enumerate(reads):
            yield read
            if number == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(order, print, kill_after_the_second)
    outcome = run(dataclasses.replace(order, resume=True), print)
    assert (outcome.before, outcome.read) == (2, 4)
    alone = [path for path in files if path.stem != "deadly"]
    run(dataclasses.replace(order, files=alone, out=tmp_path / "one.jsonl", engine="processes", jobs=None), print)
    many, one = ({row["file"]: row for row in growing_table.read(tmp_path / f"{n}.jsonl")} for n in ("ray", "one"))
    dead = many.pop(str(tmp_path / "deadly.txt"))
    assert "ended its process" in dead["error"]
    assert many == one
    with pytest.raises(InputError, match="no weights"):
        run(dataclasses.replace(order, load=no_model, out=tmp_path / "none.jsonl"), print)
    Path(temporary).rmdir()  # there is nothing left in it
    assert capsys.readouterr().out == ""


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'hff\[ray\]'"):
        list(over_ray.read_over_ray(quick_model.load, [], None, 1))
