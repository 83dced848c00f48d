"""``python app.py`` from the command line: help, a clear line for each problem, starting, stopping, no network."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from hff import cli
from hff.examples.ready import EXAMPLES_FOLDER
from hff.page import program

APP = Path(__file__).resolve().parents[2] / "app.py"
LONG = 180  # s; the machine may be busy


@contextmanager
def started(*arguments: str, **environment: str):
    """The program running, with its output in pipes; ended for certain."""
    with subprocess.Popen(
        [sys.executable, str(APP), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        cwd=tempfile.gettempdir(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def outcome(*arguments: str, **environment: str) -> tuple[int, str, str]:
    with started(*arguments, **environment) as process:
        out, err = process.communicate(timeout=LONG)
        return process.returncode, out, err


def test_help_names_every_option_and_imports_nothing_heavy():
    status, out, err = outcome("--help")
    assert (status, err) == (0, "")
    for option in ("--host", "--port", "--device", "--share", "--no-transcribe", "--log-level", "--ssl-certfile"):
        assert option in out
    assert "--password" in out
    assert "--allow-origin" in out
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", str(APP), "--help"], capture_output=True, text=True, check=True
    ).stderr
    assert not re.search(r"\| +(torch|gradio|cv2|matplotlib)$", imported, re.MULTILINE)


def test_the_page_is_drawn_before_pytorch_is_there():
    """Three to four seconds of a start: what needs it comes with the model, in the background."""
    code = (
        "import sys, hff.page.blocks; print({'torch', 'torchvision', 'transformers', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_taken_port_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = outcome("--port", str(port))
    assert status == 1
    assert err.count("\n") == 1
    assert f"Port {port}" in err


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "x"), ("--log-level", "loud")])
def test_a_wrong_option_is_named(arguments: tuple[str, ...]):
    status, _, err = outcome(*arguments)
    assert status == 2
    assert arguments[0] in err
    assert "Traceback" not in err


def test_missing_weights_are_one_clear_line(tmp_path: Path):
    for library in ("torch", "gradio"):  # told before either is imported, which takes seconds
        (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError('too early', name={library!r})")
    status, _, err = outcome("--port", str(free_port()), HFF_WEIGHTS=str(tmp_path), PYTHONPATH=str(tmp_path))
    assert status == 1
    assert err.count("\n") == 1
    assert "fusion.safetensors" in err


def test_an_unknown_device_is_one_clear_line():
    status, _, err = outcome("--port", str(free_port()), "--device", "abacus")
    assert status == 1
    assert err.count("\n") == 1
    assert "abacus" in err


@pytest.mark.parametrize("library", ["gradio", "torch"])
def test_a_missing_library_is_one_clear_line(tmp_path: Path, library: str):
    (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError('nothing here', name={library!r})")
    status, _, err = outcome("--port", str(free_port()), PYTHONPATH=str(tmp_path))
    assert status == 1
    assert err.count("\n") == 1
    assert f"The library {library} is missing" in err
    assert "pip install -r requirements.txt" in err


# Runs in the server's process: every attempt to reach another machine is written down and refused.
WATCH = """
import os, socket
def local(address):
    return not isinstance(address, tuple) or str(address[0]) in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")
def watched(name):
    real = getattr(socket.socket, name)
    def call(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not local(address):
            with open(os.environ["WATCH_FILE"], "a") as file:
                file.write(f"{name} {address}\\n")
            raise OSError("no network in this test")
        return real(self, address, *rest)
    setattr(socket.socket, name, call)
for name in ("connect", "connect_ex"):
    watched(name)
lookup = socket.getaddrinfo
def getaddrinfo(host, *rest, **options):
    if host is not None and not local((host,)):
        with open(os.environ["WATCH_FILE"], "a") as file:
            file.write(f"lookup {host}\\n")
        raise socket.gaierror("no network in this test")
    return lookup(host, *rest, **options)
socket.getaddrinfo = getaddrinfo
"""


def test_it_starts_reads_a_clip_and_stops_without_touching_the_network_or_leaving_files(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    log = tmp_path / "network.txt"
    reach_out = "import socket; socket.create_connection(('192.0.2.1', 80))"
    environment = {"PYTHONPATH": str(tmp_path), "WATCH_FILE": str(log)}
    subprocess.run([sys.executable, "-c", reach_out], env=os.environ | environment, capture_output=True, check=False)
    assert "192.0.2.1" in log.read_text(), "the watch does not see what it should"
    log.unlink()
    port = free_port()
    environment = {"PYTHONPATH": str(tmp_path), "WATCH_FILE": str(log), "TMPDIR": str(temporary)}
    with started("--port", str(port), **environment) as process:
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{port}/" in line
        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        result = client.predict(
            video=handle_file(EXAMPLES_FOLDER / "clip.mp4"),
            audio=None,
            image=None,
            text="",
            transcribe=True,
            api_name="/analyze",
        )
        assert result["present"] == {"speech": True, "text": True, "vision": True}
        assert any(temporary.rglob("clip.mp4"))
        client.close()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert err == ""
    assert not log.exists(), log.read_text()
    assert not list(temporary.rglob("*.mp4"))
    assert not list(temporary.glob("hff-page-*"))


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path):
    environment = {"TMPDIR": str(tmp_path)}
    with started("--port", str(free_port()), **environment) as process:
        assert process.stdout.readline()
        process.kill()
    (left,) = tmp_path.glob("hff-page-*")
    with started("--port", str(free_port()), **environment) as process:
        assert process.stdout.readline()
        assert not left.exists()
        process.terminate()
        process.wait(timeout=LONG)
    assert process.returncode == 0
    assert not list(tmp_path.glob("hff-page-*"))


def test_a_container_or_a_space_says_where_to_listen(monkeypatch):
    assert (program.parse([]).host, program.parse([]).port) == ("127.0.0.1", 7860)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8123")
    assert (program.parse([]).host, program.parse([]).port) == ("0.0.0.0", 8123)
    assert program.parse(["--host", "127.0.0.1", "--port", "80"]).port == 80


def test_the_package_has_the_page_as_a_command(monkeypatch):
    given = []
    monkeypatch.setattr(program, "main", lambda options, name: given.append((options, name)) or 7)
    monkeypatch.setattr(program, "leave", sys.exit)
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--port", "8123", "--share"])
    assert ended.value.code == 7
    assert given == [(["--port", "8123", "--share"], "hff demo")]
