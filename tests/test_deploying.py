"""What is there for a container and for a Space holds together, and the page runs as a container runs it.

No image is built here: the files are put where the Dockerfile copies them, and its own command and health check run.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hff.page import program

ROOT = Path(__file__).resolve().parents[1]
STRANGER = 54321  # a user without a name or a home


def steps(text: str) -> list[tuple[str, str]]:
    """(instruction, rest) of each step of a Dockerfile."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


STEPS = steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def of(instruction: str) -> list[str]:
    return [rest for word, rest in STEPS if word == instruction]


def copied() -> list[tuple[Path, str]]:
    """(file or folder of ours, its place in the image's folder)."""
    found = []
    for rest in of("COPY"):
        *sources, target = rest.split()
        found += [
            (ROOT / source, f"{target}{Path(source).name}" if target[-1] == "/" else target) for source in sources
        ]
    return found


@pytest.fixture(scope="module")
def everybodys() -> Iterator[Path]:
    """A folder that any user comes to: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def unpacked(everybodys: Path) -> Iterator[Path]:
    """A folder with all that the image holds of ours, its path with a space, where nothing can be written."""
    folder = everybodys / "an app"
    for source, place in copied():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def test_what_is_copied_is_there_and_not_ignored():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    names = {str(source.relative_to(ROOT)) for source, _ in copied()}
    assert names == kept, "all else is left out"
    assert all(source.exists() for source, _ in copied())


def test_the_image_is_what_it_is_said_to_be():
    order = [word for word, _ in STEPS]
    assert of("FROM") == ["python:3.13-slim-bookworm"]
    assert order.index("USER") > max(i for i, word in enumerate(order) if word in ("RUN", "COPY")), (
        "all belongs to root"
    )
    assert of("USER") == ["1000"]
    assert "useradd --uid 1000" in " ".join(of("RUN"))
    requirements, weights, code = (
        of("COPY").index(line) for line in ("requirements.txt ./", "weights weights", "hff hff")
    )
    assert requirements < weights < code, "what changes most often comes last"


def test_it_runs_as_a_container_does(unpacked: Path, everybodys: Path):
    """No network, no home, no writable folder but the one for temporary files, LANG=C, a user that nobody knows."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    temporary = everybodys / "tmp"
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    python = Path(sys.executable)
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "TMPDIR": str(temporary)}
    environment |= dict(word.split("=") for word in of("ENV")[0].split())
    environment["GRADIO_SERVER_PORT"] = port
    alone = os.geteuid() == 0 and shutil.which("unshare") is not None and shutil.which("setpriv") is not None
    (healthcheck,) = of("HEALTHCHECK")
    told = {
        "command": json.loads(of("ENTRYPOINT")[0]),
        "healthcheck": json.loads(healthcheck.partition("CMD ")[2]),
        "folder": str(unpacked),
        "clip": str(unpacked / "hff/examples/clip.mp4"),
        "environment": environment,
        "alone": alone,
    }
    if alone:  # it may read this Python, wherever it lies, and write nothing that is not everybody's
        may = "+dac_read_search"
        user = ["--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups", "--bounding-set", f"-all,{may}"]
        told["command"] = ["setpriv", *user, "--inh-caps", f"-all,{may}", "--ambient-caps", may, *told["command"]]
    script = [sys.executable, str(ROOT / "tests/support/as_a_container.py"), json.dumps(told)]
    before = [*map(str, unpacked.rglob("*"))]
    done = subprocess.run(
        [*(["unshare", "--net"] if alone else []), *script], capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stderr
    told_back = json.loads(done.stdout)
    assert told_back["ready"].startswith(f"The page is ready: http://localhost:{port}/"), told_back["err"]
    said = [line for line in told_back["err"].splitlines() if "font cache" not in line]  # said on a slow machine
    assert said == []
    assert (told_back["status"], told_back["healthy"], told_back["sick"] != 0) == (0, 0, True)
    assert told_back["present"] == {"speech": True, "text": True, "vision": True}
    assert told_back["outward"] == ("[Errno 101] Network is unreachable" if alone else "not tried")
    assert [*map(str, unpacked.rglob("*"))] == before
    left = [path.name for path in temporary.iterdir()]
    assert [name for name in left if not name.startswith("torchinductor")] == []  # PyTorch's, empty


def test_a_spaces_first_lines_are_what_the_hub_reads():
    text = (ROOT / "docs/space/README.md").read_text(encoding="utf-8")
    about = yaml.safe_load(text.split("---\n")[1])
    assert (about["sdk"], about["app_port"]) == (
        "docker",
        int(dict(re.findall(r"(\w+)=(\S+)", of("ENV")[0]))["GRADIO_SERVER_PORT"]),
    )
    assert int(of("EXPOSE")[0]) == about["app_port"]
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {about["colorFrom"], about["colorTo"]} <= colours
    assert len(about["short_description"]) <= 60
    assert about["license"] == "cc-by-nc-sa-4.0"


def test_every_file_that_the_hub_wants_large_is_told_to_be():
    lines = (ROOT / "docs/space/.gitattributes").read_text(encoding="utf-8").splitlines()
    large = [line.split()[0] for line in lines if "filter=lfs" in line]
    files = [path for source, _ in copied() for path in (source.rglob("*") if source.is_dir() else [source])]
    files = [path for path in files if path.is_file() and path.suffix != ".pyc"]
    for path in files:
        binary = b"\0" in path.read_bytes()[:8192]
        told = any(fnmatch.fnmatch(path.name, pattern) for pattern in large)
        assert told == binary, path.relative_to(ROOT)
        assert told or path.stat().st_size < 10 * 2**20, path.relative_to(ROOT)
    assert "filter=lfs" not in (ROOT / ".gitattributes").read_text(encoding="utf-8"), "the repository itself has none"


def test_gradios_own_starter_starts_the_page_without_reloading(monkeypatch, capsys):
    """``gradio app.py`` sets these, and would run the program again within itself."""
    monkeypatch.setenv("GRADIO_WATCH_DIRS", str(ROOT))
    monkeypatch.setenv("SYSTEM", "spaces")
    seen = []
    monkeypatch.setattr("hff.page.serve.run", lambda options: seen.append(dict(os.environ)) or 0)
    assert program.main([]) == 0
    assert not {"GRADIO_WATCH_DIRS", "SYSTEM"} & seen[0].keys()
    assert "not reloaded" in capsys.readouterr().err
