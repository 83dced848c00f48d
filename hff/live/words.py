"""The words of a live session on its own clock, merged from recognitions of overlapping stretches of sound."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

from hff.pipeline.utterances import PAUSE_SECONDS
from hff.result import Transcript, Word

EDGE = 0.3  # s at the end of the sound in which a word may still be going on
HOLD_SECONDS = 3.0  # after what was recognised that an utterance may go on unheard
RESTART_EVERY = 1.0  # s between two requests of one session


class LiveWords:
    """The words of one session with absolute times, made from recognitions of overlapping stretches."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self._heard = 0.0  # s; until here sound was recognised
        self._settled = 0.0  # s; words before it are final and their sound is not recognised again

    def start_of_next(self, window_start: float) -> float:
        """s from which on the sound has to be recognised."""
        return max(self._settled, window_start)

    def take(self, start: float, end: float, found: Transcript) -> None:
        """Words found in the sound from ``start`` to ``end`` s replace what was known of it."""
        fresh = [Word(w.text, w.start + start, w.end + start, w.probability) for w in found.words]
        kept = [word for word in self.words if word.end <= start]
        if fresh and kept and fresh[0].start < kept[-1].end:
            fresh = [word for word in fresh if word.end > kept[-1].end]
        self.words, self._heard = kept + fresh, end
        self._settle(end)

    def _settle(self, end: float) -> None:
        """After a pause, what was said before is final."""
        for word, following in zip_longest(self.words, self.words[1:]):
            until = following.start if following else end - EDGE
            if word.end > self._settled and until - word.end > PAUSE_SECONDS:
                self._settled = (word.end + until) / 2 if following else until

    def forget_before(self, time: float) -> None:
        self.words = [word for word in self.words if word.end > time]

    def within(self, start: float, end: float, voice: float = 0.0) -> list[Word]:
        """Words said between ``start`` and ``end`` s, with times from ``start``.

        A voice that goes on, until ``voice`` s, beyond what was recognised carries the last word along: else no word
        would ever be there now, since words are known a second or two after the voice is heard.
        """
        words = list(self.words)
        if words and words[-1].end > self._heard - PAUSE_SECONDS:
            going_on = min(voice, self._heard + HOLD_SECONDS)
            words[-1] = replace(words[-1], end=max(words[-1].end, going_on))
        return [
            Word(w.text, max(0.0, w.start - start), w.end - start, w.probability)
            for w in words
            if w.end > start and w.start < end
        ]
