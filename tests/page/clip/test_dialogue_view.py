"""The table of a dialogue: what stands in it, whatever the turns and the labels are."""

from __future__ import annotations

import csv
import io

from hff.errors import InputError
from hff.locale import say, texts, using
from hff.media.dialogue_file import DialogueTurn
from hff.page.clip.dialogue_view import dialogue_csv, dialogue_html
from tests.support.page_fixtures import make_result

WRONG = InputError(say("recording.no_stretch", start=99.0, seconds=4.0))


def test_who_says_what_and_how():
    turns = [(DialogueTurn("Anna", "I am <b>so</b> glad", label="joy"), make_result(2.0, ("text",)))]
    shown = str(dialogue_html([*turns, (DialogueTurn("", "", 99.0), WRONG)], with_clip=True))
    assert "Anna" in shown
    assert "I am &lt;b&gt;so&lt;/b&gt; glad" in shown
    assert texts.DIALOGUE_NOBODY in shown
    assert "the recording is 4.0 s long" in shown
    assert "joy" in shown
    assert shown.count("hff-stack-part") == 1, "the words alone have a weight"
    assert shown.count("hff-stack-absent") == 2


def test_a_file_without_labels_has_no_column_for_them():
    read = [(DialogueTurn("Anna", "hello"), make_result(2.0, ("text",)))]
    assert texts.DIALOGUE_LABEL not in dialogue_html(read, with_clip=False)


def test_it_says_what_the_times_are_good_for():
    timed = [(DialogueTurn("Anna", "hello", 0.0, 1.0), make_result(1.0, ("text",)))]
    plain = [(DialogueTurn("Anna", "hello"), make_result(1.0, ("text",)))]
    with using("de"):
        assert texts.DIALOGUE_WORDS_ALONE in dialogue_html(timed, with_clip=False)
        assert texts.DIALOGUE_WORDS_ALONE not in dialogue_html(timed, with_clip=True)
        assert texts.DIALOGUE_NO_TIMES in dialogue_html(plain, with_clip=True)
        assert texts.DIALOGUE_NO_TIMES not in dialogue_html(plain, with_clip=False)


def test_the_table_to_keep_has_the_columns_of_a_corpus():
    result = make_result(2.0, ("text",))
    labels = tuple(result.probabilities)
    made = dialogue_csv(
        "talk.csv", [(DialogueTurn("Anna", "a", 1.0, 2.0, "Joy"), result), (DialogueTurn("", "b"), WRONG)], labels
    )
    first, second = csv.DictReader(io.StringIO(made))
    assert (first["file"], first["speaker"], first["label"], first["start"]) == ("talk.csv", "Anna", "happy", "1.0")
    assert first["emotion"] == result.emotion
    assert float(first["alpha_text"]) == result.alpha["text"]
    assert (second["emotion"], second["error"]) == ("", str(WRONG))
