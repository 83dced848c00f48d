"""German: one word for one thing, one way to speak to people, and the signs of print."""

from __future__ import annotations

import json
import re

import pytest

from hff.config import HFFConfig
from hff.lab.lesson_files import LESSONS_FOLDER
from hff.lab.state import LabState
from hff.locale import number_format, translate, using
from hff.locale.catalogue import catalogue
from hff.page.model.architecture import architecture_html
from tests.support.translations import leaves

GERMAN = dict(leaves("", catalogue("de")))
LESSONS = {
    f"{path.stem}.{place}": text
    for path in (LESSONS_FOLDER.parent / "de").glob("*.json")
    for place, text in leaves("", json.loads(path.read_text("utf-8")))
}
# A lesson, and the worksheet of one, speak to a class; all else speaks to whoever sits at the computer.
TO_A_CLASS = {place: text for place, text in GERMAN.items() if re.match("LESSON_|WORKSHEET_", place)} | LESSONS
TO_ONE = {place: text for place, text in GERMAN.items() if place not in TO_A_CLASS}


def found(pattern: str, texts: dict[str, str]) -> dict[str, str]:
    return {place: text for place, text in texts.items() if re.search(pattern, text)}


def test_a_class_is_called_ihr_and_everybody_else_sie():
    assert found(r"\b[A-ZÄÖÜa-zäöüß]+e?n Sie\b|\bIhnen\b", TO_A_CLASS) == {}
    assert found(r"\b([Ee]uch|[Ee]ure\w*|habt|seid|[Ss]eht|[Kk]önnt)\b", TO_ONE) == {}
    assert found(r"\b[Ee]uch\b", TO_A_CLASS)
    assert found(r"\bIhnen\b", TO_ONE)


def test_nobody_is_told_to_do_a_thing_as_a_class_is():
    """Each verb of a request to one, as "Drücken Sie", said at the beginning of a sentence as to a class: "Drückt"."""
    asked = {verb.capitalize() for text in TO_ONE.values() for verb in re.findall(r"\b(\w+?)e?n Sie\b", text)}
    as_a_class = rf"\b({'|'.join(sorted(asked))})e?t\b"
    assert re.search(as_a_class, "Jetzt ist es anders: Drückt auf „Analysieren“.")
    assert found(as_a_class, TO_ONE) == {}


def test_an_emotion_and_the_recall_have_one_name():
    assert found(r"Gefühl|\bRecall\b", GERMAN | LESSONS) == {}


def test_attention_has_one_name():
    assert list(found("Attention", GERMAN | LESSONS)) == ["GLOSSARY.Aufmerksamkeit.1"]


def test_no_hyphen_stays_in_a_word_that_was_parted():
    assert found(r"[a-zäöüß]-\s(?!und |oder )", GERMAN | LESSONS) == {}
    with using("de"):
        wide, narrow = architecture_html(HFFConfig()).split("</svg>")[:2]
    for drawn in (wide, narrow):
        assert 'aria-label="Klassifikator, ' in drawn
        assert 'aria-label="GRU und Aufmerksamkeit β, ' in drawn
    parted = re.findall(r">(Klassifi-|kator|Aufmerk-|samkeit β)<", wide)
    assert parted == ["Aufmerk-", "samkeit β", "Klassifi-", "kator"]
    assert ">Klassifikator<" in narrow


def test_a_minus_is_no_hyphen():
    assert number_format.fixed_point(-0.5, 2, "de") == "−0,50"
    assert number_format.percentage(-0.845, 1, "de") == "−84,5\u00a0%"
    assert number_format.localised("-1,234.50", "de") == "−1.234,50"


@pytest.mark.parametrize("value", [[1, 2], {"source": "mixed", "damage": [3]}])
def test_what_stands_in_place_of_an_object_is_shown_and_not_its_python_name(value):
    with pytest.raises(Exception, match="not") as caught:
        LabState.from_dict(value)
    with using("de"):
        assert re.search(r"nicht (\[1, 2\]|\[3\])\.", translate(caught.value))
