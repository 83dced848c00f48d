"""Installs ``requirements.txt`` into the Python that runs this: ``make demo`` and ``make test`` call it.

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


def install(choice: Choice, pip: Callable[[Sequence[str]], int]) -> int:
    """Exit status of ``pip``, which is called with its arguments; without the CPU build if that cannot be had."""
    if choice.cpu:
        wanted = torch_requirements(REQUIREMENTS.read_text(encoding="utf-8"))
        if pip(["--retries", "1", "--timeout", "15", "--index-url", CPU_INDEX, *wanted]) != 0:
            print(Choice(False, "since its CPU build could not be installed"), flush=True)
    return pip(["-r", str(REQUIREMENTS)])


def run_pip(arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *arguments], check=False).returncode


def main() -> int:
    choice = choose(os.environ.get("CPU", ""), has_card, answers, platform.system())
    print(choice, flush=True)
    return install(choice, run_pip)


if __name__ == "__main__":
    sys.exit(main())
