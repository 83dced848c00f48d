"""What the page keeps and for how long, and how it loads the model: without a browser."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from weakref import ref

import numpy as np
import pytest

from hff.errors import DependencyError, WeightsError
from hff.page.session import sessions as sessions_module
from hff.page.session.background_model import Engine
from hff.page.session.private_folder import PrivateFolder
from hff.page.session.sessions import Sessions
from hff.pipeline.recording import Recording
from tests.support.page_browser import FakeModel, real_model
from tests.support.page_fixtures import make_result


def test_a_closed_page_takes_its_files_along_but_not_other_pages(tmp_path: Path):
    sessions = Sessions(tmp_path)
    shared, own = tmp_path / "a" / "clip.mp4", tmp_path / "b" / "mine.mp4"
    outside = tmp_path.parent / "outside.txt"
    for file in (shared, own, outside):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    first = sessions.track("first", [str(shared), str(own), None, str(outside)])
    sessions.track("second", [str(shared)])
    made = Path(first.make_file("report.html", "<p>"))
    first.result, first.recording = make_result(1), Recording(1)
    sessions.end("first")
    assert [shared.exists(), own.exists(), made.exists(), outside.exists()] == [True, False, False, True]
    assert first.result is first.recording is None
    sessions.end("first")
    sessions.end("second")
    assert not shared.exists()
    assert sessions.of("first").result is None


def recording_of(megabytes: float) -> Recording:
    return Recording(1.0, np.zeros(int(megabytes * (1 << 18)), np.float32))


def test_what_all_pages_keep_is_bounded_and_the_largest_goes_first(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sessions_module, "KEPT_BYTES", 20 << 20)
    sessions = Sessions(tmp_path)
    small, large, larger, newest = (sessions.of(name) for name in ("small", "large", "larger", "newest"))
    for session, megabytes in ((small, 1), (large, 8), (larger, 9)):
        sessions.keep(session, recording_of(megabytes), make_result(1))
    assert all(session.recording is not None for session in (small, large, larger))
    kept = ref(larger.recording)
    sessions.keep(newest, recording_of(9), make_result(1))
    assert [session.recording is None for session in (small, large, larger, newest)] == [False, False, True, False]
    assert all(session.result is not None for session in (small, large, larger, newest))
    assert kept() is None, "somebody still has it"
    sessions.keep(newest, recording_of(25))  # more than all: it stays, the others go
    assert [session.recording is None for session in (small, large, newest)] == [True, True, False]
    assert small.result is large.result is None
    sessions.keep_for_comparison(small, make_result(1))
    sessions.keep(newest, recording_of(21))
    assert small.kept is None


def test_folders_that_nobody_uses_are_removed_and_others_kept(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, foreign = (tmp_path / name for name in ("hff-page-old", "hff-page-young", "other"))
    for folder in (old, young, foreign):
        (folder / "inside").mkdir(parents=True)
    long_ago = time.time() - 3600
    for folder in (old, foreign):
        os.utime(folder, (long_ago, long_ago))
    first = PrivateFolder()
    second = PrivateFolder()
    assert [folder.exists() for folder in (old, young, foreign, first.path)] == [False, True, True, True]
    for folder in (first, second):
        folder.close()
        assert not folder.path.exists()


def test_what_the_page_says_of_the_model_before_it_is_there_is_true_of_it():
    engine = Engine(real_model)
    said = engine.config()
    engine.model()
    assert engine.config() == said


def test_the_model_is_loaded_once_and_a_failure_is_told_every_time():
    loads = []

    def load():
        loads.append(1)
        return FakeModel()

    engine = Engine(load, transcribe=False)
    threads = [threading.Thread(target=engine.model) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    engine.analyze({"video": None, "text": "hello"}, transcribe=True)
    assert engine.model().calls == [{"video": None, "audio": None, "image": None, "text": "hello", "transcribe": False}]

    def broken():
        raise WeightsError("No weights here.")

    failing, told = Engine(broken), threading.Event()
    failing.warm_up(None, told.set).join(10)
    assert told.is_set()
    with pytest.raises(WeightsError, match="No weights here"):
        failing.analyze({"text": "x"}, True)

    def without_torch():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    with pytest.raises(DependencyError, match="The library torch is missing"):
        Engine(without_torch).model()
