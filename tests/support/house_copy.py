"""A copy of the repository, in which a recipe is followed as by a newcomer and its own tests are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN_EACH = "import json, pytest, sys; [pytest.main(arguments) for arguments in json.loads(sys.argv[1])]"  # imports once
NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", "build")


class HouseCopy:
    """The code, the tests and the docs with what lies beside them, in ``folder``; the weights are those of here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("hff", "train", "tests", "docs"):
            shutil.copytree(ROOT / name, folder / name, ignore=NOT_COPIED)
        (folder / "weights").symlink_to(ROOT / "weights")
        for path in ROOT.iterdir():
            if path.is_file() and not path.name.startswith("."):
                shutil.copyfile(path, folder / path.name)

    def append(self, file: str, code: str) -> None:
        path = self.folder / file
        path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{code}", encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} says {old} {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def copy(self, folder: str, to: str) -> None:
        shutil.copytree(self.folder / folder, self.folder / to)

    def name(self, file: str, entry: str, key: str, value: object) -> None:
        """Put ``value`` under ``key`` into an entry of a catalogue file."""
        path = self.folder / file
        values = json.loads(path.read_text(encoding="utf-8"))
        values[entry][key] = value
        path.write_text(json.dumps(values, ensure_ascii=False, indent=2), encoding="utf-8")

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"HFF_WEIGHTS": os.environ.get("HFF_WEIGHTS", str(ROOT / "weights"))}
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=800
        )

    def failures(self, *commands: list[str]) -> list[str]:
        """The tests that fail or cannot be run, of those that each of pytest's argument lists names.

        Raises ``AssertionError`` where one of the lists names no test at all.
        """
        options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-m", "not browser and not attack"]
        ran = self.python("-c", RUN_EACH, json.dumps([[*options, *command] for command in commands]))
        assert len(re.findall(r"^\d+ (?:passed|failed|errors?)\b.* in ", ran.stdout, re.M)) == len(commands), ran
        print(ran.stdout)  # shown where the test fails
        return re.findall(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.M)
