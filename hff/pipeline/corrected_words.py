"""Words that a person corrected, laid over the times at which they were said."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

import numpy as np

from hff.result import Transcript, Word


def corrected(transcript: Transcript | None, text: str) -> Transcript:
    """``text`` with the times of ``transcript``; without any, as typed text, which belongs to every step.

    Words that stay keep their times; changed ones share the span of those in whose place they stand, new ones come
    between their neighbours. Text that is the same gives the very same transcript.
    """
    if transcript is None or not transcript.words:
        return Transcript(text)
    if text.split() == transcript.text.split():
        return transcript
    return Transcript(text, list(_timed(transcript.words, text.split())))


def _timed(said: list[Word], words: list[str]) -> Iterator[Word]:
    matcher = SequenceMatcher(None, [_plain(word.text) for word in said], [_plain(word) for word in words])
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            for word, text in zip(said[first:last], words[start:end], strict=True):
                yield Word(text, word.start, word.end, word.probability)
        elif kind != "delete":
            yield from _spread(words[start:end], *_span(said, first, last))


def _span(said: list[Word], first: int, last: int) -> tuple[float, float]:
    """(start, end) s of the words from ``first`` to ``last``; where there are none, of the gap at ``first``."""
    if first < last:
        return said[first].start, said[last - 1].end
    before = said[first - 1].end if first else said[0].start
    return before, max(before, said[first].start) if first < len(said) else before


def _spread(words: list[str], start: float, end: float) -> Iterator[Word]:
    edges = np.linspace(start, end, len(words) + 1).tolist()
    for text, begin, stop in zip(words, edges[:-1], edges[1:], strict=True):
        yield Word(text, begin, stop, 1.0)


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold() or word
