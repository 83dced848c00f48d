"""What of a language is still English: copied from it, and not translated yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import train  # noqa: F401 - brings its sentences into the catalogues
from hff.lab.lesson import Lesson
from hff.lab.lesson_files import LESSONS_FOLDER, load_lessons
from hff.locale import DEFAULT, using
from hff.locale.catalogue import catalogue

# Symbols and words that a text may consist of and yet be right in any language.
EVERYWHERE = {"α", "α₀", "β", "σ²", "ε", "w", "s", "CSV", "ECE", "F1", "AUROC", "Shapley", "Spearman"}
# Words that are the same in English and in that language; keep it short.
SAME = {"de": {"Clip", "Emotion", "Fusion", "Live", "Name", "Start", "Video", "neutral"}}
LESSONS_COPIED_FROM = "de"  # by the recipe: its files hold the sentences alone, as every language's but English
LESSON_PARTS = ("title", "question", "watch", "why", "then")


def untranslated(name: str) -> list[str]:
    """Where the catalogue of a language says the same as the English one, as "LAB_COLUMNS.alpha.0"."""
    allowed = EVERYWHERE | SAME.get(name, set())
    english, ours = (dict(leaves("", catalogue(of))) for of in (DEFAULT, name))
    return [place for place, text in english.items() if ours.get(place) == text and _words(text) - allowed]


def untranslated_lessons(name: str, folder: Path = LESSONS_FOLDER) -> list[str]:
    """Sentences of lessons that a language still has as those it was copied from, as "sarcasm: title".

    Another language that is half translated is no fault of this one, so it is not compared with.
    """
    sources = {DEFAULT, LESSONS_COPIED_FROM} if name not in (DEFAULT, LESSONS_COPIED_FROM) else {DEFAULT}
    ours, theirs = _told(name, folder), [_told(source, folder) for source in sources]
    known = {place: [told.get(place) for told in theirs] for place in ours}
    return [place for place, text in ours.items() if text and text in known[place]]


def _told(name: str, folder: Path) -> dict[str, str]:
    with using(name):
        return {place: text for lesson in load_lessons(folder) for place, text in _sentences(lesson)}


def _sentences(lesson: Lesson) -> Iterator[tuple[str, str]]:
    for part in LESSON_PARTS:
        yield f"{lesson.key}: {part}", getattr(lesson, part)
    for number, choice in enumerate(lesson.choices, 1):
        yield f"{lesson.key}: choice {number}", choice.text


def shouted(value: object) -> object:
    """An entry in a language that is English, only otherwise."""
    if isinstance(value, Mapping):
        return {key: shouted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(shouted(part) for part in value)
    return f"¡{value}!"


def leaves(place: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text of an entry with its place; a key that is a word of the language itself is such a place too."""
    if isinstance(value, str):
        yield place, value
    parts = value.items() if hasattr(value, "items") else enumerate(value) if isinstance(value, tuple | list) else ()
    for key, part in parts:
        yield from leaves(f"{place}.{key}".lstrip("."), part)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]\w*²?₀?", re.sub(r"{[^}]*}", " ", text)))
