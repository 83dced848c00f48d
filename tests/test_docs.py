"""What README, docs/ and the other pages say exists: commands, options, stages, files, links, lessons, versions."""

from __future__ import annotations

import argparse
import ast
import json
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

import app
import hff
from hff import cli
from hff.config import MAX_CHARACTERS
from hff.lab.state import LabState
from hff.locale import texts
from hff.page.door import connections
from hff.page.door.uploads import MAX_FILE, Limits
from hff.page.session.sessions import KEPT_BYTES
from train import __main__ as train

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
MAX_PICTURE = 200_000  # bytes
OURS = ("python app.py", "python -m hff", "python -m train")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.S)


def commands() -> list[str]:
    """Every shell line of the documents that calls us, as it stands there; also those between backticks."""
    found = []
    for path in PAGES:
        shell = "\n".join(blocks(path, "sh")).replace("\\\n", " ")
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S))
        for line in [*shell.splitlines(), *inline]:
            line = line.split("  #")[0].strip()
            line = re.sub(r"^(\w+=\S+ )+", "", line)
            if line.startswith(OURS):
                found.append(line)
            elif line.startswith("accelerate launch") and " -m train " in line:
                found.append("python -m train " + line.split(" -m train ")[1])
    return sorted(set(found))


def status(command: str) -> int:
    """What the program's own parser makes of a command: 0 if it takes it (or shows its help). Nothing is run."""
    words = shlex.split(command)
    try:
        if words[1] == "app.py":
            app.parse(words[2:])
        elif words[2] == "hff":
            cli.parser().parse_args(words[3:])
        else:
            train.parser().parse_args(words[3:])
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_the_programs_take(command: str):
    assert status(command) == 0


@pytest.mark.parametrize(
    "wrong", ["python app.py --captures native", "python -m train speeches", "python -m hff analyse a.wav"]
)
def test_a_command_that_does_not_exist_would_be_found(wrong: str):
    assert status(wrong) != 0


def test_every_stage_stands_in_the_readme():
    action = next(a for a in train.parser()._actions if isinstance(a, argparse._SubParsersAction))
    said = {command.split()[3] for command in commands() if command.startswith("python -m train ")}
    assert set(action.choices) <= said


def options_of(parser_help: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]+", parser_help))


def test_options_that_are_named_alone_exist(capsys: pytest.CaptureFixture):
    known = {"--index-url"}  # pip's
    for parse_help in (lambda: app.parse(["--help"]), lambda: cli.parser().parse_args(["analyze", "--help"])):
        with pytest.raises(SystemExit):
            parse_help()
        known |= options_of(capsys.readouterr().out)
    action = next(a for a in train.parser()._actions if isinstance(a, argparse._SubParsersAction))
    for stage in action.choices.values():
        known |= options_of(stage.format_help())
    for path in PAGES:
        for named in re.findall(r"`(--[a-z-]+)[^`]*`", path.read_text(encoding="utf-8")):
            assert named in known, f"{path.name} names {named}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_headings_that_are_linked_exist(path: Path):
    for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
        linked = (path.parent / target if target else path).read_text(encoding="utf-8")
        anchors = [
            re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.*)$", linked, re.M)
        ]
        assert heading in anchors


def test_every_view_has_a_small_picture():
    shown = re.findall(r"!\[[^]]+\]\((docs/images/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) == 4
    for name in shown:
        assert (ROOT / name).stat().st_size < MAX_PICTURE, name
        with Image.open(ROOT / name) as image:
            assert image.width >= 1000, name


def test_the_plan_uses_lessons_that_exist():
    plan = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")
    files = sorted((ROOT / "hff/lab/lessons/en").glob("*.json"))
    titles = {json.loads(path.read_text(encoding="utf-8"))["title"] for path in files}
    used = set(re.findall(r"lesson \*([^*]+)\*", plan))
    assert len(used) >= 4
    assert used <= titles
    for title in titles:
        assert f"*{title}*" in plan, f"the plan does not say where {title} fits"
    for name in (texts.GLOSSARY_TITLE, texts.SHARE_WORKSHEET, texts.LESSON_SHOW, texts.LAB_TAB_CORRUPTION):
        assert f"*{name}*" in plan


def test_the_plan_takes_45_minutes_without_a_gap():
    rows = re.findall(r"^\| (\d+)–(\d+) \|", (ROOT / "docs/teaching.md").read_text(encoding="utf-8"), re.M)
    spans = [(int(begin), int(end)) for begin, end in rows]
    assert spans[0][0] == 0
    assert spans[-1][1] == 45
    assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]


def test_python_examples_are_python_and_their_lab_state_is_read():
    trees = [ast.parse(block) for path in PAGES for block in blocks(path, "python")]
    assigned = [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "state"
    ]
    assert [LabState.from_dict(ast.literal_eval(value)).source for value in assigned] == ["mixed"]


def test_http_names_are_those_of_the_page():
    named = set(re.findall(r'api_name="/(\w+)"', (ROOT / "README.md").read_text(encoding="utf-8")))
    code = "".join((ROOT / "hff/page" / name).read_text(encoding="utf-8") for name in ("api.py", "lab/lab_api.py"))
    assert named == set(re.findall(r'api_name="(\w+)"', code)) == {"analyze", "lab_rerun", "lab_sweep"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_exist(path: Path):
    named = set(re.findall(r"`((?:hff|train|tests|docs|weights|\.ci)/[\w/.-]*)`", path.read_text(encoding="utf-8")))
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_modules_and_names_in_them_that_docstrings_name_exist():
    for path in sorted([*ROOT.glob("hff/**/*.py"), *ROOT.glob("train/**/*.py")]):
        for named in re.findall(r"``((?:hff|train)(?:\.\w+)+)``", path.read_text(encoding="utf-8")):
            if not named.startswith("train.jsonl"):  # a corpus' file
                assert pkgutil.resolve_name(named) is not None, f"{path.relative_to(ROOT)} names {named}"


def test_the_drawing_of_the_house_shows_every_room():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    drawing = re.search(r"## The house\n+```\n(.*?)```", text, re.S)[1]
    rooms = {path.parent.name for folder in ("hff", "train") for path in ROOT.glob(f"{folder}/*/__init__.py")}
    rooms |= {path.parent.name for path in ROOT.glob("hff/page/*/__init__.py")} - {"examples"}
    drawn = set(re.findall(r"(\w+)/", drawing))
    assert rooms - drawn == {"examples"}  # ready clips, no part of the way of anything
    assert drawn - rooms == {"train", "static", "templates"}


def test_what_a_newcomer_looks_for_has_a_way_there():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert re.findall(r"^## The way of a (.*)$", text, re.M) == ["clip", "live frame", "slider", "corpus"]
    for way in re.split(r"^## ", text, flags=re.M)[2:6]:
        assert len(re.findall(r"`(?:hff|train)/", way)) >= 4, way.splitlines()[0]


def test_there_is_one_version_number():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    released, day = re.findall(r"^## \[(\d[\w.]*)\] - (\S+)$", changelog, re.M)[0]
    assert released == hff.__version__
    assert re.findall(r"^version: (\S+)$", citation, re.M) == [hff.__version__]
    assert re.findall(r"^date-released: (\S+)$", citation, re.M) == [day]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.search(r'^version = "', project, re.M)
    assert 'version = { attr = "hff.__version__" }' in project


def test_the_changelog_keeps_its_form():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[([^\]]+)\]", changelog, re.M)[0] == "Unreleased"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", changelog, re.M)) <= kinds


def test_the_citation_names_the_paper_of_the_readme():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    title = re.findall(r'^  title: "(.*)"$', citation, re.M)[0]
    paper = re.search(r"^(.+): (Multimodal .+), (\d{4})\.$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert paper[2] == title
    assert f"  year: {paper[3]}" in citation
    assert re.findall(r"family-names: (\w+)", citation) == re.findall(r"[A-Z]\w+(?=,|$)", paper[1])


def test_every_promise_of_safety_names_tests_that_there_are():
    text = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "shown by" not in line]
    named = [re.findall(r"`([\w/]+\.py)::(\w+)`", row) for row in rows]
    assert len(rows) > 30
    assert all(named), "each row names a test"
    for path, name in {test for tests in named for test in tests}:
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.M), f"{path} has no {name}"
    for path in re.findall(r"`(hff/[\w/.]*)`", text):
        assert (ROOT / path).exists(), path


def test_the_limits_that_the_readme_names_are_those_of_the_page():
    said = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    places = connections.Places(connections.MOST)
    assert connections.FILES_SHARE == 2
    assert f"holds {places.most} connections, or half as many as the system lets it open files if that is fewer" in said
    assert places.share == places.most // 2
    assert "one address at most half of them" in said
    limits = Limits.of(MAX_FILE)
    assert (limits.visitor, limits.server) == (4 * MAX_FILE, 8 * MAX_FILE)
    assert "One address may have four of the largest files here at once, all together eight" in said
    assert f"{limits.reserve >> 20} MB of the disk stay free" in said
    assert f"at most {MAX_CHARACTERS:,} characters" in said
    assert f"at most {KEPT_BYTES >> 30} GB: then the longest go first" in said
