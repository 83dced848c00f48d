"""The catalogues: complete, alike in shape, and used; messages and numbers in a language."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pytest

import hff.locale as locale
from hff.errors import InputError
from hff.lab.lessons import load_lessons
from hff.locale import names, number_format, say, sentence, speaking, texts, translate, using
from hff.locale.catalogue import catalogue

OTHERS = [name for name in locale.languages() if name != locale.DEFAULT]
BY_WORD = {"GLOSSARY"}  # entries whose keys are words of the language themselves
TERMS = {"ALPHA_MEANS", "BETA_MEANS", "SHAPLEY_MEANS"}  # held to be said alike everywhere by the glossary's tests
PACKAGE = Path(locale.__file__).parents[1]


def shape(value: object) -> object:
    """What two languages have in common of an entry: keys, lengths and the names to be filled in."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [shape(part) for part in value]
    return sorted(set(re.findall(r"{(\w+)", str(value))))


@pytest.mark.parametrize("name", OTHERS)
def test_a_language_has_every_entry_in_the_same_shape(name):
    ours, english = catalogue(name), catalogue(locale.DEFAULT)
    assert set(ours) == set(english)
    for key in english:
        if key in BY_WORD:
            assert len(ours[key]) == len(english[key]), key
        else:
            assert shape(ours[key]) == shape(english[key]), key


def texts_read() -> tuple[set[str], set[str]]:
    """Attributes of ``texts`` that the package reads, and all strings in its code: keys are said by their name."""
    attributes, strings = set(), set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "texts":
                attributes.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)  # the parts of f-strings too
    for path in PACKAGE.glob("page/templates/*.html"):
        attributes |= set(re.findall(r"\btexts\.([A-Z][A-Z0-9_]*)", path.read_text(encoding="utf-8")))
    return attributes, strings


def test_every_text_that_is_asked_for_is_there_and_none_is_idle():
    known = catalogue(locale.DEFAULT)
    attributes, strings = texts_read()
    assert attributes <= set(known)
    beginnings = tuple(part for part in strings if len(part) > 5 and part.endswith("_"))
    assert [key for key in known if key not in attributes | strings | TERMS and not key.startswith(beginnings)] == []


@pytest.mark.parametrize("name", OTHERS)
def test_every_lesson_is_told_in_every_language(name):
    english = {lesson.key: lesson for lesson in load_lessons()}
    with using(name):
        told = load_lessons()
    assert {lesson.key for lesson in told} == set(english)
    for lesson in told:
        for part in ("title", "question", "watch", "why", "then"):
            assert getattr(lesson, part) != getattr(english[lesson.key], part), (lesson.key, part)
        for choice, same in zip(lesson.choices, english[lesson.key].choices, strict=True):
            assert choice.text != same.text
            assert choice.claim == same.claim


def test_the_language_of_the_moment():
    assert texts.TAB_LAB == "Weighting lab"
    with using("de"):
        assert texts.TAB_LAB == "Gewichtslabor"
        assert names.emotion("fearful") == "ängstlich"
        assert names.modality("vision", "of") == "des Gesichts"
    assert texts.TAB_LAB == "Weighting lab"
    assert names.emotion("bored") == "bored"  # a label of other weights keeps its name
    assert names.modality("pulse") == "Pulse"


def test_a_message_is_english_text_that_can_be_said_again():
    message = say("LESSON_RIGHT", choice="pulse")
    assert message == "Right: pulse."
    copy = pickle.loads(pickle.dumps(message))
    with using("de"):
        assert translate(message) == translate(copy) == translate(ValueError(message)) == "Richtig: pulse."
        assert translate("plain") == "plain"
        assert sentence("SWEEP_AXIS", the=names.modality("speech", "the")) == "Störung für die Stimme (Stärke)"


def test_numbers_go_by_the_language():
    assert number_format.decimal(1234.5, 2, "en") == "1234.50"
    assert number_format.decimal(0.5, 2, "de") == "0,50"
    assert number_format.percentage(0.845, 1, "de") == "84,5\u00a0%"


def test_a_function_speaks_its_language_even_between_steps():
    def steps():
        yield texts.TAB_LAB
        yield texts.TAB_LAB

    german, english = speaking("de", steps)(), speaking("en", steps)()
    said = [next(german), next(english), next(german), next(english)]
    assert said == ["Gewichtslabor", "Weighting lab"] * 2
    assert speaking("de", lambda: texts.TAB_LAB)() == "Gewichtslabor"


def test_unknown_texts_are_no_attributes():
    with pytest.raises(AttributeError, match="NO_SUCH_TEXT"):
        _ = texts.NO_SUCH_TEXT
    with pytest.raises(KeyError):
        say("NO_SUCH_TEXT")


def test_errors_and_warnings_are_said_in_the_language_of_the_moment():
    reasons = (say("recording.no_voice"), "my own words")
    error = InputError(say("recording.nothing_there", reasons=reasons))
    assert str(error).startswith("No voice, no words and no face to read emotion from. No voice was found")
    assert str(error).endswith("my own words")
    long = say("recording.text_too_long", count=50_000, most=40_000)
    assert "50,000" in long
    with using("de"):
        assert translate(error).startswith("Es gibt keine Stimme")
        assert "Im Ton wurde keine Stimme gefunden" in translate(error)
        assert "50.000" in translate(long)
