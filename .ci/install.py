"""Installs requirements files into the virtual environment that runs this: ``make demo`` and ``make test`` call it.

    .venv/bin/python .ci/install.py [FILE ...]     # requirements.txt if none is named

PyTorch as pip finds it on Linux is built for NVIDIA's cards and brings their libraries along. Where there is no such
card its build for the CPU is taken instead, if PyTorch's own index answers. Nothing fails for want of that index.
Standard library alone: nothing is installed yet.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
WAIT_SECONDS = 4.0  # for the index to answer
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"
DEVICES = Path("/dev")
UV_ENVIRONMENT = {"UV_SYSTEM_CERTS": "1"}  # the machine's certificates, as pip is told of a school's proxy
TORCH = ("torch", "torchvision", "torchaudio")  # what the index has


@dataclass(frozen=True)
class Choice:
    """Which build of PyTorch, and why."""

    cpu: bool
    why: str

    def __str__(self) -> str:
        return f"PyTorch: {'the CPU build' if self.cpu else 'as pip finds it'}, {self.why}."


def choose(asked: str, card: Callable[[], bool], answers: Callable[[], bool], system: str) -> Choice:
    """The build for a machine.

    asked: "1" for the CPU build whatever card there is, "0" for none of that, "" for what suits. card: whether there is
    an NVIDIA card. answers: whether PyTorch's index can be reached, asked only if it matters. system: as
    ``platform.system()`` says; elsewhere than on Linux pip finds the build without NVIDIA's libraries by itself.
    """
    if asked == "0":
        return Choice(False, "as CPU=0 asks")
    if system != "Linux":
        return Choice(False, f"which on {system} has nothing of NVIDIA's")
    if asked != "1" and card():
        return Choice(False, "there is an NVIDIA card")
    if not answers():
        return Choice(False, f"{CPU_INDEX} does not answer")
    return Choice(True, "as CPU=1 asks" if asked == "1" else "there is no NVIDIA card (CPU=0 for the other)")


def has_card(devices: Path = DEVICES) -> bool:
    """Whether there is an NVIDIA card: as a device, or as its own program tells."""
    if (devices / "nvidia0").exists():
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return told.returncode == 0 and "GPU " in told.stdout


def answers(url: str = f"{CPU_INDEX}/torch/", seconds: float = WAIT_SECONDS) -> bool:
    """Whether a page is there, found out within so many seconds, however long a name server is silent."""
    found: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as reply:
                found.append(reply.status == 200)
        except (OSError, ValueError):
            found.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(found and found[0])


def torch_requirements(text: str) -> list[str]:
    """The lines of a requirements file that name PyTorch and what belongs to it, without their comments."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if re.split(r"[\s<>=!~\[;]", line, maxsplit=1)[0] in TORCH]


def install(file: Path, choose_build: Callable[[], Choice], get: Callable[[Sequence[str]], int]) -> int:
    """Exit status of ``get``, which is called with pip's arguments; without the CPU build if that cannot be had."""
    wanted = torch_requirements(file.read_text(encoding="utf-8"))
    if wanted:
        choice = choose_build()
        print(choice, flush=True)
        if choice.cpu and get(["--index-url", CPU_INDEX, *wanted]) != 0:
            print(Choice(False, "since its CPU build could not be installed"), flush=True)
    return get(["-r", str(file)])


# What pip's own settings (its files, its environment variables) mean for uv, which does not read them.
UV_OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "constraint": "--constraint",
}


def uv_options(settings: str) -> list[str]:
    """uv's options for what ``pip config list`` prints, one "section.name='value'" a line."""
    options: list[str] = []
    for line in settings.splitlines():
        name, _, value = line.partition("=")
        option = UV_OPTIONS.get(name.rpartition(".")[2])
        if option is not None:
            options += [word for one in value.strip("'").replace("\\n", " ").split() for word in (option, one)]
    # As pip does: of all places the newest version, not that of the first place.
    return [*options, "--index-strategy", "unsafe-best-match"] if "--index" in options else options


class Installer:
    """Installs by uv, which takes a quarter of pip's time; by pip where uv cannot be had or does not get there."""

    def __init__(self, run: Callable[[Sequence[str]], int], settings: Callable[[], str]) -> None:
        """``run``: starts a program and gives its exit status. ``settings``: what ``pip config list`` prints."""
        self.run, self.settings = run, settings
        self.uv = self._pip(["--retries", "1", "uv"]) == 0

    def __call__(self, arguments: Sequence[str]) -> int:
        if self.uv:
            # Beside the packages, so that files are linked and not copied, and /tmp need not hold them all.
            cache = Path(sys.prefix) / "uv-cache"
            # Compiled now, as pip does: where nothing may be written later, every start would compile all of it anew.
            command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode"]
            index = [] if "--index-url" in arguments else uv_options(self.settings())
            status = self.run([*command, "--python", sys.executable, "--cache-dir", str(cache), *index, *arguments])
            shutil.rmtree(cache, ignore_errors=True)
            if status == 0:
                return 0
            print("uv could not install them (see above); pip tries now.", flush=True)
        return self._pip(arguments)

    def _pip(self, arguments: Sequence[str]) -> int:
        return self.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False, env=os.environ | UV_ENVIRONMENT).returncode


def _pip_settings() -> str:
    return subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout


def _suited() -> Choice:
    return choose(os.environ.get("CPU", ""), has_card, answers, platform.system())


def main(files: Sequence[str]) -> int:
    """Exit status: that of the first file that cannot be installed, else 0."""
    get = Installer(_run, _pip_settings)
    for file in files or [str(REQUIREMENTS)]:
        if status := install(Path(file), _suited, get):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
