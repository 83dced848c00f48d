"""The one recogniser of words for all live sessions, in a thread of its own.

A recognition takes longer than a reading and must not hold it up. Each session has at most one request
waiting; the thread takes them in turn and rests between them, so that recognition never takes more than
``MAX_SHARE`` of its time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hff.result import Transcript

log = logging.getLogger(__name__)

MAX_SHARE = 0.25  # of the time that recognition may take

Recognise = Callable[[np.ndarray], Transcript]


@dataclass
class _Request:
    wave: np.ndarray
    answer: Callable[[Transcript], None]
    device: str


class Recogniser:
    """Runs ``recognise`` (by default ``hff.detectors.asr.transcribe``) for any number of sessions, one at a time."""

    def __init__(self, recognise: Recognise | None = None) -> None:
        self._recognise = recognise
        self._waiting: dict[int, _Request] = {}  # by session, in the order in which they came
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, key: int, wave: np.ndarray, answer: Callable[[Transcript], None], device: str = "cpu") -> None:
        """Have ``wave`` (16 kHz) recognised on ``device``; ``answer`` is called in the recogniser's thread.

        A request of the same ``key`` that still waits is replaced but keeps its turn.
        """
        with self._condition:
            if self._closed:
                return
            self._waiting[key] = _Request(wave, answer, device)
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
            if self._recognise is not None:
                request.answer(self._recognise(request.wave))
                return
            from hff.detectors.asr import transcribe

            request.answer(transcribe(request.wave, device=request.device))
        except Exception:
            # One session's trouble must not end the others' words.
            log.exception("recognising live words failed")
