"""What of a language is still English: copied from it, and not translated yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hff.lab.lesson import Lesson
from hff.lab.lesson_files import LESSONS_FOLDER, load_lessons
from hff.locale import DEFAULT, using
from hff.locale.catalogue import catalogue

# Symbols and words that a text may consist of and yet be right in any language.
EVERYWHERE = {"α", "α₀", "β", "σ²", "ε", "w", "s", "CSV", "ECE", "F1", "AUROC", "Shapley", "Spearman"}
# Words that are the same in English and in that language; keep it short.
SAME = {"de": {"Clip", "Fusion", "Live", "Name", "Start", "Video", "neutral"}}
LESSON_PARTS = ("title", "question", "watch", "why", "then")


def untranslated(name: str) -> list[str]:
    """Where the catalogue of a language says the same as the English one, as "LAB_COLUMNS.alpha.0"."""
    allowed = EVERYWHERE | SAME.get(name, set())
    english, ours = (dict(leaves("", catalogue(of))) for of in (DEFAULT, name))
    return [place for place, text in english.items() if ours.get(place) == text and _words(text) - allowed]


def untranslated_lessons(name: str, folder: Path = LESSONS_FOLDER) -> list[str]:
    """Sentences of lessons that a language has as English or another language has them, as "sarcasm: title"."""
    others = [other.name for other in folder.parent.iterdir() if other.is_dir() and other.name != name]
    ours = _told(name, folder)
    known = {place: [_told(other, folder).get(place) for other in others] for place in ours}
    return [place for place, text in ours.items() if text and text in known[place]]


def _told(name: str, folder: Path) -> dict[str, str]:
    with using(name):
        return {place: text for lesson in load_lessons(folder) for place, text in _sentences(lesson)}


def _sentences(lesson: Lesson) -> Iterator[tuple[str, str]]:
    for part in LESSON_PARTS:
        yield f"{lesson.key}: {part}", getattr(lesson, part)
    for number, choice in enumerate(lesson.choices, 1):
        yield f"{lesson.key}: choice {number}", choice.text


def leaves(place: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text of an entry with its place; a key that is a word of the language itself is such a place too."""
    if isinstance(value, str):
        yield place, value
    parts = value.items() if hasattr(value, "items") else enumerate(value) if isinstance(value, tuple | list) else ()
    for key, part in parts:
        yield from leaves(f"{place}.{key}".lstrip("."), part)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]\w*²?₀?", re.sub(r"{[^}]*}", " ", text)))
