"""Corrected words keep the times at which they were said."""

from __future__ import annotations

import pytest

from hff.pipeline.corrected_words import corrected
from hff.result import Transcript, Word

SAID = Transcript(
    "Kids are talking by the door.",
    [Word(text, i, i + 0.5, 0.9) for i, text in enumerate("Kids are talking by the door.".split())],
    "recognised",
)


def spans(text: str) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for word in corrected(SAID, text).words]


def test_the_same_words_are_the_very_same_transcript():
    assert corrected(SAID, "Kids are  talking by the door. ") is SAID


def test_a_changed_word_takes_the_place_of_the_old_one():
    assert spans("Dogs are talking, by the dog.") == [
        ("Dogs", 0, 0.5),
        ("are", 1, 1.5),
        ("talking,", 2, 2.5),
        ("by", 3, 3.5),
        ("the", 4, 4.5),
        ("dog.", 5, 5.5),
    ]


def test_several_for_one_share_its_span():
    assert spans("The children are talking by the door.")[:3] == [
        ("The", 0, 0.25),
        ("children", 0.25, 0.5),
        ("are", 1, 1.5),
    ]


def test_new_words_stand_between_their_neighbours():
    assert ("loudly", 2.5, 3) in spans("Kids are talking loudly by the door.")
    assert spans("Kids are talking by the door today")[-1] == ("today", 5.5, 5.5)
    assert spans("Yes kids are talking by the door.")[0] == ("Yes", 0, 0)


def test_words_that_are_gone_leave_their_time_empty():
    assert spans("Kids are talking.") == [("Kids", 0, 0.5), ("are", 1, 1.5), ("talking.", 2, 2.5)]


def test_another_sentence_lies_over_all_that_was_said():
    found = spans("I am glad")
    assert (found[0][1], found[-1][2]) == (0, 5.5)


@pytest.mark.parametrize("before", [None, Transcript("typed before")])
def test_without_times_the_words_belong_to_every_moment(before):
    assert corrected(before, "I am glad") == Transcript("I am glad")
