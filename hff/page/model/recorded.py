"""What the files beside the weights say in English, said in the language of the moment.

``MEASURED_TEXTS`` of the catalogues maps their titles, columns, cells, licences and the sentences of their notes.
``{name}`` in an entry stands for anything, such as a number or another entry. What no entry fits stays English: weights
may bring figures that these catalogues have never heard of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from hff.locale import language, names, number_format, texts

_NUMBER = re.compile(r"[+−-]?\d+(\.\d+)?( ± \d+\.\d+)?")
_SENTENCE_END = re.compile(r"(?<=[^.]\.) +")
_LISTS = ("{one} + {two}", "{one}, {two}", "{one} against {two}")  # entries that only join others
_ANYTHING = r"(?P<{name}>(?:(?!; |[^.]\. ).)+?)"  # within one sentence


def said(text: str) -> str:
    """``text``, a title, a cell or a whole note, in the language of the moment."""
    return " ".join(_sentence(part) for part in _SENTENCE_END.split(text))


def _sentence(text: str) -> str:
    """A sentence, or the verdicts that stand in one, parted by semicolons."""
    if whole := _entry(text):
        return whole
    body, dot = text.removesuffix("."), "." if text.endswith(".") else ""
    return "; ".join(_entry(part) or part for part in body.split("; ")) + dot


def _entry(text: str) -> str | None:
    """What the catalogue has for all of ``text``."""
    known: Mapping[str, str] = texts.MEASURED_TEXTS
    if _NUMBER.fullmatch(text):
        return number_format.localised(text, language())
    if text in known:
        return known[text]
    if text in texts.EMOTION_NAMES:
        return names.emotion(text)
    for key, pattern in _patterns(tuple(known)):
        found = pattern.fullmatch(text)
        if found is None:
            continue
        parts = {name: (part, _entry(part)) for name, part in found.groupdict().items()}
        if key in _LISTS and any(said is None and re.search("[a-z]{3}", part) for part, said in parts.values()):
            continue  # a sentence with a comma, not a list of entries
        return known[key].format_map({name: said or part for name, (part, said) in parts.items()})
    return None


@cache
def _patterns(keys: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """The entries with something to fill in, longest first, so that the most particular one is found."""
    return [(key, _pattern(key)) for key in sorted((key for key in keys if "{" in key), key=len, reverse=True)]


def _pattern(key: str) -> re.Pattern[str]:
    parts = enumerate(re.split(r"{(\w+)}", key))
    return re.compile("".join(_ANYTHING.format(name=part) if at % 2 else re.escape(part) for at, part in parts))
