"""CONTRIBUTING.md's recipes, every step of them, in a copy of the repository where the tests that they name are run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from hff.locale.catalogue import catalogue
from tests.support.house_copy import ROOT, HouseCopy
from tests.support.translations import shouted
from tests.test_contributing import GUIDE, recipe

ENCODER = '''"""A made-up encoder of the heartbeat: what it reads has no order and no sense."""

from __future__ import annotations

from torch import nn


class PulseEncoder(nn.Module):
    feature_dim = 16

    def __init__(self, labels: int = 7) -> None:
        super().__init__()
        self.head = nn.Linear(self.feature_dim, labels)
'''
FEATURES = """
def pulse_of(encoder, material: Material, steps: int) -> Encoded:
    there = "pulse" in material.more
    return torch.ones(steps, encoder.feature_dim) * there, torch.full((steps,), there)
"""
DIARY = """
def diary(root: Path) -> None:
    write_rows(root / "text/diary.csv", ["text", "feeling"], [["The sun came out.", "glad"], ["It rained.", "down"]])
"""
FORMS = {
    "en": ["Heartbeat", "the heartbeat", "of the heartbeat", "The heartbeat is gone", "The heartbeat is there again"],
    "de": ["Puls", "den Puls", "des Pulses", "Der Puls ist weg", "Der Puls ist wieder da"],
}


def told(title: str) -> list[str]:
    """The tests of the command that the recipe for ``title`` names."""
    section = GUIDE.split(f"## Add a {title}\n")[1].split("\n## ")[0]
    (command,) = re.findall(r"`\.venv/bin/python -m pytest ([^`]+)`", section)
    return shlex.split(command)


def add_a_corruption(copy: HouseCopy) -> None:
    copy.append("hff/corruption.py", recipe("corruption"))


def name_the_corruption(copy: HouseCopy) -> None:
    for language, name in {"en": "misted lens", "de": "beschlagene Linse"}.items():
        copy.name(f"hff/locale/{language}/lab.json", "LAB_CORRUPTION_NAMES", "fog", name)
    copy.replace("docs/lessons.md", "`freeze`", "`freeze`, `fog`")


def add_a_modality(copy: HouseCopy) -> None:
    copy.append("hff/modalities.py", recipe("modality"))
    copy.write("hff/encoders/pulse.py", ENCODER)
    copy.append("hff/pipeline/features.py", FEATURES)
    for language, forms in FORMS.items():
        named = dict(zip(catalogue(language)["MODALITY_FORMS"]["other"], forms, strict=True))
        copy.name(f"hff/locale/{language}/names.json", "MODALITY_FORMS", "pulse", named)


def add_a_lesson(copy: HouseCopy) -> None:
    example = re.search(r"## Write one\n+```json\n(.*?)```", (ROOT / "docs/lessons.md").read_text("utf-8"), re.S)[1]
    copy.write("hff/lab/lessons/en/far_away.json", example)
    copy.write("hff/lab/lessons/de/far_away.json", recipe("lesson translation"))
    copy.append("docs/teaching.md", f"Lesson *{json.loads(example)['title']}* fits after *Lights off*.\n")


def add_a_rival(copy: HouseCopy) -> None:
    registry, line = "train/rivals/__init__.py", "from train.rivals.tfn"
    copy.write("train/rivals/soft_vote.py", recipe("rival"))
    copy.replace(registry, line, f"from train.rivals.soft_vote import SoftVote\n{line}")
    copy.replace(registry, '    "fixed weights"', '    "soft vote": SoftVote,\n    "fixed weights"')
    copy.replace("tests/train/rivals/test_rivals.py", 'ALONE = {"', 'ALONE = {"soft vote", "')
    for language, name in {"en": "soft vote", "de": "weiche Abstimmung"}.items():
        copy.name(f"hff/locale/{language}/measured.json", "MEASURED_TEXTS", "soft vote", name)


def add_a_corpus(copy: HouseCopy) -> None:
    readers, stage = "train/corpora/__init__.py", "train/encoders/text.py"
    copy.write("train/corpora/diary.py", recipe("corpus"))
    copy.replace(readers, "    dairai,\n    emodb,\n", "    dairai,\n    diary,\n    emodb,\n")
    copy.replace(readers, "        own_sentences,\n", "        diary,\n        own_sentences,\n")
    copy.replace(stage, "import dailydialog, dairai,", "import dailydialog, dairai, diary,")
    copy.replace(stage, "TEXT_CORPORA = (", "TEXT_CORPORA = (diary, ")
    copy.append("tests/support/corpus_fixtures.py", DIARY)
    for language, content in {"en": "what people wrote", "de": "was Leute über ihren Tag schrieben"}.items():
        copy.name(f"hff/locale/{language}/model.json", "CORPUS_CONTENT", "diary", content)


def add_a_language(copy: HouseCopy) -> None:
    """Of English and German, each sentence between exclamation marks."""
    copy.copy("hff/locale/en", "hff/locale/qq")
    copy.copy("train/locale/en", "train/locale/qq")
    copy.copy("hff/lab/lessons/de", "hff/lab/lessons/qq")
    for path in list(copy.folder.glob("**/qq/*.json")):
        path.write_text(json.dumps(shouted(json.loads(path.read_text("utf-8")))), encoding="utf-8")


def test_with_all_of_them_added_the_checks_that_they_name_hold(tmp_path: Path):
    copy = HouseCopy(tmp_path / "hff")
    add_a_corruption(copy)
    name_the_corruption(copy)
    add_a_modality(copy)
    add_a_lesson(copy)
    add_a_rival(copy)
    add_a_corpus(copy)
    add_a_language(copy)
    assert copy.failures(*map(told, ("corruption", "modality", "lesson", "rival", "corpus", "language"))) == []


def test_a_corpus_that_says_nothing_of_itself_is_found(tmp_path: Path):
    copy = HouseCopy(tmp_path / "hff")
    add_a_corpus(copy)
    copy.replace("train/corpora/diary.py", 'LICENCE = "CC BY 4.0"', 'LICENCE = ""')
    copy.replace("train/corpora/diary.py", "PARTS: dict[str, str] = {}", 'PARTS = {"text": "all of it"}')
    assert set(copy.failures(told("corpus"))) == {
        "tests/train/corpora/test_corpora.py::test_a_reader_says_what_it_reads_and_where_it_is_from[Diary]",
        "tests/train/corpora/test_corpora.py::test_the_shipped_list_and_card_are_written_from_the_readers",
    }


def test_a_corruption_without_a_name_is_found(tmp_path: Path):
    copy = HouseCopy(tmp_path / "hff")
    add_a_corruption(copy)
    assert set(copy.failures(told("corruption"))) == {
        "tests/page/lab/test_lab_controls.py::test_every_kind_and_part_has_a_name_on_the_page",
        "tests/lab/test_lessons.py::test_every_word_of_the_format_is_documented",
    }
