"""Which build of PyTorch is installed, on made-up machines; nothing is installed here and no other machine is asked."""

from __future__ import annotations

import http.server
import importlib.util
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# No module of a package: it runs before anything is installed.
_SPEC = importlib.util.spec_from_file_location("install", ROOT / ".ci" / "install.py")
install = importlib.util.module_from_spec(_SPEC)
sys.modules["install"] = install  # dataclasses look their module up
_SPEC.loader.exec_module(install)

CPU = install.Choice(True, "there is no NVIDIA card")


def never() -> bool:
    raise AssertionError("this need not be asked")


@pytest.mark.parametrize(
    ("asked", "card", "answers", "system", "cpu", "said"),
    [
        ("", False, True, "Linux", True, "the CPU build, there is no NVIDIA card"),
        ("", False, False, "Linux", False, "as pip finds it, https://download.pytorch.org/whl/cpu does not answer"),
        ("", True, never, "Linux", False, "as pip finds it, there is an NVIDIA card"),
        ("1", never, True, "Linux", True, "the CPU build, as CPU=1 asks"),
        ("1", never, False, "Linux", False, "as pip finds it, https://download.pytorch.org/whl/cpu does not answer"),
        ("0", never, never, "Linux", False, "as pip finds it, as CPU=0 asks"),
        ("", never, never, "Darwin", False, "as pip finds it, which on Darwin has nothing of NVIDIA's"),
    ],
)
def test_the_build_for_a_machine(asked, card, answers, system: str, cpu: bool, said: str):
    ask: list[Callable[[], bool]] = [
        known if callable(known) else lambda known=known: known for known in (card, answers)
    ]
    choice = install.choose(asked, *ask, system)
    assert choice.cpu == cpu
    assert str(choice).startswith(f"PyTorch: {said}")
    assert "\n" not in str(choice)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (None, False),
        ("echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'", True),
        ("echo 'No devices found.'; exit 6", False),
        ("echo 'GPU access blocked'; exit 9", False),
        ("echo ''", False),
    ],
)
def test_a_card_is_what_its_own_program_tells(tmp_path: Path, monkeypatch, script: str | None, found: bool):
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert install.has_card(tmp_path) == found
    (tmp_path / "nvidia0").touch()  # the device, as a container sees it that has no such program
    assert install.has_card(tmp_path)


@pytest.fixture
def server() -> Iterator[str]:
    """Has one page, ``/there``."""

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/there" else 404)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Pages) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_an_index_answers_or_does_not(server: str, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert install.answers(f"{server}/there")
    assert not install.answers(f"{server}/gone")
    assert not install.answers("no address at all")


def test_an_index_that_is_silent_or_not_there_costs_no_time(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    begun = time.monotonic()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        refusing = silent.getsockname()[1]
        assert not install.answers(f"http://127.0.0.1:{refusing}/", 0.3)  # nobody listens
        silent.listen()
        assert not install.answers(f"http://127.0.0.1:{refusing}/", 0.3)  # connected, and never an answer
    assert time.monotonic() - begun < 5


class Pip:
    """Notes what it is asked for; the first requests fail."""

    def __init__(self, *failures: int) -> None:
        self.failures, self.asked = list(failures), []

    def __call__(self, arguments: Sequence[str]) -> int:
        self.asked.append(list(arguments))
        return self.failures.pop(0) if self.failures else 0


def test_of_the_cpu_build_only_pytorch_comes_from_its_index(capsys):
    pip = Pip()
    assert install.install(install.REQUIREMENTS, lambda: CPU, pip) == 0
    first, second = pip.asked
    assert install.CPU_INDEX in first
    assert [word.partition(">")[0] for word in first[-3:]] == ["torch", "torchvision", "torchaudio"]
    assert second == ["-r", str(install.REQUIREMENTS)]
    assert capsys.readouterr().out == f"{CPU}\n"


def test_nothing_fails_for_want_of_the_cpu_build(capsys):
    pip = Pip(1)
    assert install.install(install.REQUIREMENTS, lambda: CPU, pip) == 0
    assert pip.asked[1:] == [["-r", str(install.REQUIREMENTS)]]
    assert "as pip finds it, since its CPU build could not be installed" in capsys.readouterr().out
    other = install.Choice(False, "of a card")
    assert install.install(install.REQUIREMENTS, lambda: other, Pip(2)) == 2  # what pip itself cannot do is told


def test_where_pytorch_is_not_asked_for_no_build_is_chosen(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text("torch_geometric>=2\npytest\n")
    pip = Pip()
    assert install.install(tmp_path / "requirements.txt", never, pip) == 0
    assert pip.asked == [["-r", str(tmp_path / "requirements.txt")]]


def test_uv_installs_and_where_it_cannot_pip_does(capsys):
    settings = "global.index-url='https://pip.school/simple'\n:env:.find-links='/wheels /more'\nglobal.cert='/ca.pem'\n"
    run = Pip()
    assert install.Installer(run, lambda: settings)(["-r", "all.txt"]) == 0
    bootstrap, by_uv = run.asked
    assert bootstrap[1:4] == ["-m", "pip", "install"]
    assert bootstrap[-1] == "uv"
    assert by_uv[1:5] == ["-m", "uv", "pip", "install"]
    assert "--compile-bytecode" in by_uv
    told = " ".join(by_uv)
    assert told.endswith("--default-index https://pip.school/simple --find-links /wheels --find-links /more -r all.txt")
    for failures, tried in {(1,): ["pip", "pip"], (0, 1): ["pip", "uv", "pip"]}.items():
        run = Pip(*failures)
        assert install.Installer(run, lambda: settings)(["-r", "all.txt"]) == 0
        assert [command[2] for command in run.asked] == tried
        assert run.asked[-1][-2:] == ["-r", "all.txt"]
    assert "uv could not install them (see above); pip tries now." in capsys.readouterr().out
    assert install.Installer(Pip(0, 1, 3), lambda: "")(["gone"]) == 3


def test_of_the_cpu_index_nothing_else_is_mixed_in():
    run = Pip()
    install.Installer(run, lambda: "global.extra-index-url='https://a/simple'")(["--index-url", "https://cpu", "torch"])
    assert "https://a/simple" not in run.asked[-1]


def test_several_indices_are_one_as_they_are_for_pip():
    found = install.uv_options("global.extra-index-url='https://a/simple\\nhttps://b/simple'\ninstall.retries='9'\n")
    assert found == [
        "--index",
        "https://a/simple",
        "--index",
        "https://b/simple",
        "--index-strategy",
        "unsafe-best-match",
    ]
    assert install.uv_options("") == []


def test_the_bounds_are_those_of_the_requirements():
    text = "# torch\ntorch>=2.11,<2.15  # why\ntorch_geometric>=2\ntorchaudio==2.11.1; python_version > '3'\nnumpy\n"
    assert install.torch_requirements(text) == ["torch>=2.11,<2.15", "torchaudio==2.11.1; python_version > '3'"]


def test_ci_knows_its_legs():
    asked = subprocess.run([ROOT / ".ci" / "run", "nonsense"], capture_output=True, text=True, timeout=30)
    assert asked.returncode == 2
    assert asked.stderr == "usage: .ci/run [newest|lowest]\n"
    assert asked.stdout == ""
