"""Nothing leaves the machine and nothing stays on it: what the system sees our programs do, libraries included.

Each program runs under ``strace``, which sees every call of every thread, in C and C++ too; homes, caches and temporary
folders are empty ones, and the environment asks for as much reporting as it can.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hff import quiet, weights
from hff.examples.ready import EXAMPLES_FOLDER
from tests.support import corpus_fixtures
from tests.support.page_browser import browsing, choose_example

ROOT = Path(__file__).resolve().parent.parent
LONG = 300  # s; the machine may be busy
WAIT = 30  # s for reports that are sent now and then
FONTS = re.compile(r"\.cache/matplotlib/fontlist-v[\d.]+\.json$")  # of this machine: nobody's data
REPORTING = {"ORT_DISABLE_TELEMETRY": "0", "GRADIO_ANALYTICS_ENABLED": "True", "HF_HUB_DISABLE_TELEMETRY": "0"}

READ = f"""
import time
import hff
result = hff.load(device="cpu").analyze(video={str(EXAMPLES_FOLDER / "clip.mp4")!r})
assert result.present == {{"speech": True, "text": True, "vision": True}} and result.transcript.text
time.sleep({WAIT})
"""
REACH_OUT = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))
try:
    socket.create_connection(("192.0.2.2", 80), timeout=0.1)
except OSError:
    pass
try:
    socket.create_connection(("127.0.0.1", 1), timeout=1)
except OSError:
    pass
"""


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("strace is not installed")
    assert found, "strace has to be installed in CI: apt-get install strace"
    return found


class Watched:
    """A program under strace, with a home of its own. ``calls`` and ``left`` tell what it did, once it has ended."""

    def __init__(self, strace: str, home: Path, *arguments: str) -> None:
        self.home, self.log = home / "home", home / "calls.txt"
        for folder in (self.home / ".cache", self.home / "tmp"):
            folder.mkdir(parents=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPL", "HF_", "GRADIO_"))
        } | REPORTING
        environment |= {"HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [
                strace,
                "-f",
                "-qq",
                "--seccomp-bpf",
                "-e",
                "trace=network",
                "-e",
                "signal=none",
                "-o",
                str(self.log),
                sys.executable,
                *arguments,
            ],
            env=environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def stop(self) -> None:
        """As Ctrl-C does: to the program as well as to strace, which lets it have its way."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=LONG)
        return self.process.returncode, out, err

    @property
    def calls(self) -> list[str]:
        """Calls that name another machine, or a name server."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if outward(line)]

    @property
    def left(self) -> list[str]:
        files = (str(path.relative_to(self.home)) for path in self.home.rglob("*") if not path.is_dir())
        return sorted(name for name in files if not FONTS.search(name))


def outward(call: str) -> bool:
    """Whether a line of strace tells of a connection or a message to anything but this machine."""
    if not re.search(r"\b(connect|sendto|sendmsg|sendmmsg)\(", call):
        return False
    addresses = re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', call)
    return any(
        not (one.startswith("127.") or two in ("::1", "::ffff:127.0.0.1")) for one, two in addresses if one or two
    )


@contextmanager
def watched(strace: str, home: Path, *arguments: str) -> Iterator[Watched]:
    run = Watched(strace, home, *arguments)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_watch_sees_what_it_should(strace: str, tmp_path: Path):
    with watched(strace, tmp_path, "-c", REACH_OUT + "open('left.txt', 'w')") as run:
        assert run.end()[0] == 0
    assert [re.search(r"192\.0\.2\.\d", call)[0] for call in run.calls] == ["192.0.2.1", "192.0.2.2"]
    assert run.left == ["left.txt"]


def test_the_python_api_reaches_nobody_and_leaves_nothing(strace: str, tmp_path: Path):
    with watched(strace, tmp_path, "-c", READ) as run:
        status, _, err = run.end()
    assert status == 0, err
    assert run.calls == []
    assert run.left == []


def test_the_command_line_reaches_nobody_and_leaves_nothing(strace: str, tmp_path: Path):
    with watched(
        strace, tmp_path, "-m", "hff", "analyze", "--device", "cpu", str(EXAMPLES_FOLDER / "voice.wav")
    ) as run:
        status, out, err = run.end()
    assert status == 0, err
    assert '"transcript": "' in out
    assert run.calls == []
    assert run.left == []


@pytest.mark.browser
def test_a_visit_reaches_nobody_and_leaves_nothing(strace: str, tmp_path: Path):
    port = free_port()
    with watched(strace, tmp_path, str(ROOT / "app.py"), "--port", str(port), "--device", "cpu") as run:
        line = run.process.stdout.readline()
        assert f"http://127.0.0.1:{port}/" in line, run.process.stderr.read()
        with browsing(f"http://127.0.0.1:{port}/") as page:
            assert choose_example(page, "Clip")
            page.wait_for_selector("#hff-timeline svg")
        time.sleep(WAIT)
        run.stop()
        status, _, err = run.end()
    assert (status, err) == (0, "")
    assert run.calls == []
    assert run.left == []


@pytest.mark.parametrize(
    "module",
    [
        "hff",
        "hff.cli",
        "hff.detectors.vad",
        "hff.page.session.background_model",
        "train.fusion.feature_files",
        "train.stages",
    ],
)
def test_whatever_is_imported_first_tells_onnxruntime_before_it_is_imported(module: str, tmp_path: Path):
    (tmp_path / "onnxruntime.py").write_text(
        "import os\nassert os.environ['ORT_DISABLE_TELEMETRY'] == '1', 'imported before it was told'\n"
    )
    code = f"import {module}, onnxruntime, os; print(os.environ['GRADIO_ANALYTICS_ENABLED'])"
    environment = os.environ | REPORTING | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_somebody_who_imported_onnxruntime_before_is_warned(monkeypatch, caplog):
    class Reporting:
        told = 0

        @classmethod
        def disable_telemetry_events(cls) -> None:
            cls.told += 1

    monkeypatch.setitem(sys.modules, "onnxruntime", Reporting)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    quiet.libraries()
    assert caplog.messages == []
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    quiet.libraries()
    (said,) = caplog.messages
    assert "import hff first" in said
    assert Reporting.told == 1
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize("stage", ["text", "speech"])
def test_a_training_reaches_nobody_and_leaves_nothing(strace: str, tmp_path: Path, speech_wave: np.ndarray, stage: str):
    """The stages that load what others made: BERT by transformers, voice search by ONNX Runtime."""
    data = corpus_fixtures.everything(tmp_path / "data", speech_wave[: int(1.3 * corpus_fixtures.RATE)])
    out = tmp_path / "out"
    options = ("--data", str(data), "--out", str(out), "--device", "cpu", "--epochs", "1")
    with watched(strace, tmp_path, "-m", "train", stage, *options, "--init", str(weights.folder())) as run:
        status, _, err = run.end()
    assert status == 0, err
    assert list(out.rglob("*.safetensors"))
    assert run.calls == []
    assert run.left == []
