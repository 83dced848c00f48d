"""The words of live sessions: one recogniser, in a thread of its own, for all viewers.

A recognition takes longer than a reading and must not hold it up. Each session has at most one request
waiting; the thread takes them in turn and rests between them, so that recognition never takes more than
``MAX_SHARE`` of its time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from hff.encoders.bert import PAUSE_SECONDS
from hff.result import Transcript, Word

log = logging.getLogger(__name__)

MAX_SHARE = 0.35  # of the time that recognition may take
EDGE = 0.3  # s at the end of the sound in which a word may still be going on
HOLD_SECONDS = 3.0  # after what was recognised that an utterance may go on unheard
RESTART_EVERY = 1.0  # s between two requests of one session

Recognise = Callable[[np.ndarray], Transcript]


@dataclass
class _Request:
    wave: np.ndarray
    answer: Callable[[Transcript], None]


class Recogniser:
    """Runs ``recognise`` (by default ``hff.detectors.asr.transcribe``) for any number of sessions, one at a time."""

    def __init__(self, recognise: Recognise | None = None) -> None:
        self._recognise = recognise
        self._waiting: dict[int, _Request] = {}  # by session, in the order in which they came
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, key: int, wave: np.ndarray, answer: Callable[[Transcript], None]) -> None:
        """Have ``wave`` (16 kHz) recognised; ``answer`` is called in the recogniser's thread.

        A request of the same ``key`` that still waits is replaced but keeps its turn.
        """
        with self._condition:
            if self._closed:
                return
            self._waiting[key] = _Request(wave, answer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live words", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def forget(self, key: int) -> None:
        """Drop what a session still waits for."""
        with self._condition:
            self._waiting.pop(key, None)

    def close(self) -> None:
        """Drop what waits, and wait for what is under way: the interpreter's end would abort in the midst of it."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify_all()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                key = next(iter(self._waiting))
                request = self._waiting.pop(key)
            begun = time.perf_counter()
            self._serve(request)
            spent = time.perf_counter() - begun
            with self._condition:
                self._condition.wait_for(lambda: self._closed, timeout=spent * (1 / MAX_SHARE - 1))

    def _serve(self, request: _Request) -> None:
        try:
            if self._recognise is None:
                from hff.detectors.asr import transcribe

                self._recognise = transcribe
            request.answer(self._recognise(request.wave))
        except Exception:
            # One session's trouble must not end the others' words.
            log.exception("recognising live words failed")


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
