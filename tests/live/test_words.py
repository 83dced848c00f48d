"""Words of a live session: recognised beside it, by one recogniser for all, and joined where stretches overlap."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from hff.config import SAMPLE_RATE
from hff.live.recogniser import Recogniser
from hff.live.session import LiveSession
from hff.live.words import HOLD_SECONDS, LiveWords
from hff.result import Transcript, Word
from tests.support.live_fixtures import FakeAnalyzer, SteadyPace, fake, picture, play  # noqa: F401
from tests.support.page_browser import eventually

RATE = SAMPLE_RATE


def said(*words: tuple[str, float, float]) -> Transcript:
    return Transcript(" ".join(w for w, _, _ in words), [Word(w, a, b, 0.9) for w, a, b in words], "recognised")


def test_recognition_never_holds_a_reading_up(fake: FakeAnalyzer):  # noqa: F811
    asked, go_on = threading.Event(), threading.Event()

    def recognise(wave: np.ndarray) -> Transcript:
        asked.set()
        assert go_on.wait(60)
        return said(("hello", 0.1, 0.4))

    recogniser = Recogniser(recognise)
    session = LiveSession(fake, recogniser, pace=SteadyPace())
    try:
        play(session, 2.0)
        session.infer()
        assert asked.wait(60)
        play(session, 1.0, 2.0)
        assert session.infer().words == []  # it still recognises
        go_on.set()
        assert eventually(lambda: session.infer().words)
        reading = session.infer()
        assert [word.text for word in reading.words] == ["hello"]
        assert reading.timeline.present[0, 1]
        assert session.snapshot().transcript.source == "recognised"
    finally:
        go_on.set()
        recogniser.close()


def test_one_recogniser_serves_all_and_survives_an_error():
    calls: list[float] = []
    answers: list[str] = []
    busy = threading.Lock()

    def recognise(wave: np.ndarray) -> Transcript:
        assert busy.acquire(blocking=False)  # never two at a time
        calls.append(float(wave[0]))
        busy.release()
        if wave[0] == 0:
            raise ValueError("no")
        return said((f"{wave[0]:.0f}", 0, 1))

    recogniser = Recogniser(recognise)
    try:
        for key in range(4):
            recogniser.ask(key, np.full(10, key, np.float32), lambda found: answers.append(found.text))
        assert eventually(lambda: len(answers) == 3)
        assert answers == ["1", "2", "3"]
    finally:
        recogniser.close()
    recogniser.ask(9, np.zeros(10, np.float32), lambda found: None)  # after the end: nothing happens


def test_words_of_overlapping_stretches_are_joined():
    words = LiveWords()
    words.take(0.0, 2.0, said(("good", 0.2, 0.5), ("mor", 1.6, 2.0)))
    words.take(0.0, 4.0, said(("good", 0.2, 0.5), ("morning", 1.6, 2.1)))
    assert [w.text for w in words.words] == ["good", "morning"]
    start = words.start_of_next(0.0)
    assert 2.1 < start <= 4.0  # what was said before the pause is settled
    words.take(start, 6.0, said(("everyone", 0.5, 1.0)))
    assert [(w.text, round(w.start - start, 1)) for w in words.words][-1] == ("everyone", 0.5)
    assert [w.text for w in words.within(1.0, 3.0)] == ["morning"]
    assert words.within(1.0, 3.0)[0].start == pytest.approx(0.6)
    words.forget_before(3.0)
    assert [w.text for w in words.words] == ["everyone"]


def test_an_utterance_goes_on_while_the_voice_does():
    """Words are recognised after they are said; until then the last ones stand for them."""
    words = LiveWords()
    words.take(0.0, 2.0, said(("good", 0.2, 0.5), ("morning", 1.5, 1.9)))
    assert [w.end for w in words.within(0.0, 4.0, voice=3.5)] == [0.5, 3.5]
    assert words.within(1.0, 4.0, voice=3.5)[-1].start == pytest.approx(0.5)
    assert words.within(0.0, 4.0, voice=1.2)[-1].end == 1.9  # nobody speaks any more
    assert words.within(0.0, 60.0, voice=50.0)[-1].end == 2.0 + HOLD_SECONDS  # nor is it guessed for ever
    assert words.words[-1].end == 1.9
    words.take(0.0, 4.0, said(("good", 0.2, 0.5), ("morning", 1.5, 1.9)))
    assert words.within(0.0, 6.0, voice=5.0)[-1].end == 1.9  # a pause was heard: what comes now is another utterance
