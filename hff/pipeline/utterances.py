"""Timed words cut into utterances, each of which is encoded by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hff.result import Word

PAUSE_SECONDS = 0.8  # a silence between words that ends an utterance
MAX_UTTERANCE_SECONDS = 12.0


@dataclass
class TimedUtterance:
    """Words said in one go, with their times in seconds."""

    text: str
    start: float
    end: float


def utterances(words: list[Word]) -> list[TimedUtterance]:
    """Cut timed words into utterances at pauses, at the ends of sentences, and when they grow too long."""
    groups = groups_of(words)
    return [TimedUtterance(" ".join(w.text.strip() for w in g), g[0].start, g[-1].end) for g in groups]


def groups_of(words: list[Word]) -> list[list[Word]]:
    """The words of each of ``utterances``."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1] if groups else None
        if (
            last is None
            or word.start - last[-1].end > PAUSE_SECONDS
            or word.end - last[0].start > MAX_UTTERANCE_SECONDS
            or re.search(r"[.!?]$", last[-1].text.strip())
        ):
            groups.append([word])
        else:
            last.append(word)
    return groups
