"""What goes into a wheel: all code, and every file that the code opens; into a source distribution: its tests too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUP = PROJECT["tool"]["setuptools"]
NOT_DISTRIBUTED = {"node_modules", "build", "__pycache__"}


def packed() -> set[Path]:
    """The data files that the patterns of pyproject.toml take."""
    found = set()
    for package, patterns in SETUP["package-data"].items():
        folder = ROOT / SETUP["package-dir"].get(package, package.replace(".", "/"))
        for pattern in patterns:
            # setuptools' ``**`` at an end takes files; pathlib's takes folders alone before Python 3.13.
            found |= set(folder.glob(pattern + "/*" if pattern.endswith("**") else pattern))
    return found


def test_every_data_file_is_packed():
    files = [path for top in ("hff", "weights") for path in (ROOT / top).rglob("*") if path.is_file()]
    data = {path for path in files if path.suffix not in (".py", ".pyc")}
    assert len(data) > 40
    assert sorted(str(path.relative_to(ROOT)) for path in data - packed()) == []


@pytest.mark.parametrize(
    "name",
    [
        "hff/py.typed",
        "hff/page/static/live.js",
        "hff/locale/de/lab.json",
        "weights/fusion.safetensors",
        "weights/LICENSE",
        "weights/pretrained/minilm/LICENSE",
    ],
)
def test_what_must_not_be_missing(name: str):
    assert ROOT / name in packed()


def test_a_source_distribution_holds_its_tests_and_all_that_they_read(tmp_path: Path):
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    listed = set((tmp_path / "hff.egg-info/SOURCES.txt").read_text(encoding="utf-8").splitlines())
    made = ("PKG-INFO", "setup.cfg")  # by setuptools, in a distribution that was unpacked
    here = [
        path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".") and path.name not in made
    ]
    for top in ("hff", "train", "tests", "docs", "weights"):
        here += [path for path in (ROOT / top).rglob("*") if path.is_file()]
    names = {path.relative_to(ROOT) for path in here if not NOT_DISTRIBUTED & {part.name for part in path.parents}}
    assert len(names) > 400
    assert sorted(name.as_posix() for name in names if name.as_posix() not in listed) == []


def test_the_terms_of_code_and_weights_are_told():
    project = PROJECT["project"]
    assert project["license"] == "MIT AND CC-BY-NC-SA-4.0"
    for name in project["license-files"]:
        assert (ROOT / name).is_file()
    assert "CC BY-NC-SA 4.0" in (ROOT / "weights/LICENSE").read_text(encoding="utf-8")


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in (ROOT / "hff").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_what_make_quick_runs_is_there():
    lines = (ROOT / "tests/quick.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert [name for name in named if not (ROOT / name).exists()] == []
    rooms = {name.split("/")[1] for name in named}
    assert rooms >= {"model", "encoders", "media", "live", "locale", "page", "pipeline", "train"}
