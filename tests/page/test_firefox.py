"""The page in Firefox, whose camera, microphone and sound differ from Chromium's: one visit through all views."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.page_browser import real_model

MODEL = real_model
SCRIPT = Path(__file__).resolve().parents[1] / "js" / "firefox.js"
LONG = 400  # s

pytestmark = pytest.mark.browser


def test_live_clip_and_a_lesson(server, tmp_path: Path):
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    assert program, "This test needs Firefox: apt-get install firefox-esr"
    command = ["node", str(SCRIPT), program, server.url, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=LONG)
    assert run.returncode == 0, run.stderr
    saw = json.loads(run.stdout)
    assert saw["live"]["seen"] == [True, True], "the camera's picture is there and goes on"
    assert saw["clip"]["emotion"] == "happy"
    assert saw["clip"]["alphaText"] > 0.9, "nobody is seen or heard in the made-up film: the typed words decide"
    assert saw["lesson"] == {"choices": saw["lesson"]["choices"], "after": True}
    assert saw["faults"] == []
