"""A dialogue turn by turn: each turn's own stretch and words, and what is wrong with one leaves the others."""

from __future__ import annotations

import numpy as np
import pytest

from hff.cancel import Cancel, watching
from hff.config import SAMPLE_RATE
from hff.errors import Cancelled, InputError
from hff.media.dialogue_file import DialogueTurn
from hff.pipeline.dialogue import read_turns
from hff.pipeline.recording import Recording
from tests.support.page_browser import FakeModel


def spoken(seconds: float) -> Recording:
    wave = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    return Recording(seconds, wave, [(0.0, seconds)])


def test_words_alone():
    model = FakeModel()
    turns = [DialogueTurn("Anna", "I am so glad"), DialogueTurn("Ben", "Why?", 0.0, 2.0)]
    read = list(read_turns(model, turns))
    assert [turn for turn, _ in read] == turns
    assert [call["text"] for call in model.calls] == ["I am so glad", "Why?"]
    assert all(found.present == {"speech": False, "text": True, "vision": False} for _, found in read)


def test_a_turn_is_heard_in_its_stretch_with_the_words_of_the_file():
    model = FakeModel()
    turns = [DialogueTurn("Anna", "I am so glad", 1.0, 3.0), DialogueTurn("Ben", "", 3.0, None)]
    (_, first), (_, second) = read_turns(model, turns, spoken(8.0))
    assert [round(material.seconds, 6) for material in model.analysed] == [2.0, 5.0]
    assert first.transcript.text == "I am so glad"
    assert first.present["speech"]
    assert second.transcript is None


def test_what_is_wrong_with_one_turn_leaves_the_others():
    turns = [DialogueTurn("Anna", "a", 99.0, 100.0), DialogueTurn("Ben", "b", 0.0, 1.0)]
    (_, wrong), (_, right) = read_turns(FakeModel(), turns, spoken(4.0))
    assert isinstance(wrong, InputError)
    assert "4.0 s" in str(wrong)
    assert right.transcript.text == "b"


def test_it_can_be_stopped():
    cancel = Cancel()
    with watching(cancel):
        read = read_turns(FakeModel(), [DialogueTurn("", "one"), DialogueTurn("", "two")])
        next(read)
        cancel.set()
        with pytest.raises(Cancelled):
            next(read)
