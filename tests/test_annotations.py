"""A reading as subtitles, as Praat's TextGrid, as ELAN's EAF, and as a pandas frame."""

from __future__ import annotations

import itertools
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from hff.annotations import WRITERS, tiers
from hff.config import EMOTIONS, MODALITIES
from hff.errors import DependencyError
from hff.result import Result, Transcript, Word
from tests.support.page_fixtures import make_result

SAID = [("I", 0.5, 0.7), ('said "no"', 0.7, 1.4), ("<b>&", 1.4, 2.0), ("and", 4.0, 4.3), ("left", 4.3, 5.0)]


@pytest.fixture
def result() -> Result:
    made = make_result(6.0)
    made.transcript = Transcript("", [Word(text, start, end, 0.9) for text, start, end in SAID], "recognised")
    chosen = [EMOTIONS.index("sad")] * 6 + [EMOTIONS.index("angry")] * 6
    made.timeline.probabilities = np.eye(len(EMOTIONS))[chosen]
    made.timeline.present[:] = True
    made.timeline.alpha[:] = [0.2, 0.1, 0.7]
    made.timeline.alpha[8:] = [0.6, 0.1, 0.3]
    return made


def test_subtitles_break_at_pauses_and_say_the_emotion(result: Result):
    assert WRITERS["srt"](result) == (
        '1\n00:00:00,500 --> 00:00:02,000\n[sad] I said "no" <b>&\n\n'
        "2\n00:00:04,000 --> 00:00:05,000\n[angry] and left\n"
    )
    vtt = WRITERS["vtt"](result)
    assert vtt.startswith("WEBVTT\n\n")
    assert "\n\n00:00:00.500 --> 00:00:02.000\n" in vtt
    assert '[sad] I said "no" &lt;b&gt;&amp;\n' in vtt


def test_a_subtitle_is_no_longer_than_a_line(result: Result):
    result.transcript.words = [Word("word", 0.1 * n, 0.1 * n + 0.1, 1.0) for n in range(40)]
    lines = [line for line in WRITERS["srt"](result).splitlines() if line.startswith("[")]
    assert len(lines) == 5
    assert all(len(line) <= 42 + len("[angry] ") for line in lines)


def test_tiers_are_in_order_and_never_overlap(result: Result):
    result.transcript.words += [Word("early", 0.6, 0.9, 0.5), Word("", 5.1, 5.2, 0.5)]
    for stretches in tiers(result).values():
        assert all(one.start < one.end for one in stretches)
        assert all(one.end <= other.start for one, other in itertools.pairwise(stretches))
    assert [(run.start, run.end, run.text) for run in tiers(result)["emotion"]] == [(0, 3, "sad"), (3, 6, "angry")]
    assert [(run.start, run.end, run.text) for run in tiers(result)["weight"]] == [(0, 4, "vision"), (4, 6, "speech")]


def test_praat_s_tiers_cover_the_clip_without_a_gap(result: Result):
    text = WRITERS["TextGrid"](result)
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 6.0\n')
    assert 'text = "said ""no"""' in text
    for tier in text.split("item [")[2:]:
        times = [(float(a), float(b)) for a, b in re.findall(r"\]:\n +xmin = (\S+)\n +xmax = (\S+)\n +text", tier)]
        assert len(times) == int(re.search(r"intervals: size = (\d+)", tier)[1])
        assert (times[0][0], times[-1][1]) == (0, 6)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(times))


def test_elan_s_annotations_point_at_times_that_are_there(result: Result):
    result.file = "clip & co.mp4"
    root = ElementTree.fromstring(WRITERS["eaf"](result))
    times = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    said = [
        (times[one.get("TIME_SLOT_REF1")], times[one.get("TIME_SLOT_REF2")], one.findtext("ANNOTATION_VALUE"))
        for one in root.find("TIER[@TIER_ID='words']").iter("ALIGNABLE_ANNOTATION")
    ]
    assert said == [(round(1000 * a), round(1000 * b), text) for text, a, b in SAID]
    assert [tier.get("TIER_ID") for tier in root.iter("TIER")] == ["words", "emotion", "weight"]
    assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MEDIA_URL") == "clip & co.mp4"


def test_who_heard_the_voice_is_named_where_there_is_a_place_for_it(result: Result):
    result.speech_encoder = "whisper"
    assert WRITERS["vtt"](result).startswith("WEBVTT\n\nNOTE speech encoder: whisper\n\n")
    assert (
        ElementTree.fromstring(WRITERS["eaf"](result)).findtext("HEADER/PROPERTY[@NAME='speech_encoder']") == "whisper"
    )
    assert set(result.to_frame()["speech_encoder"]) == {"whisper"}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("there", [("vision",), ("text",), MODALITIES])
def test_whatever_is_there_can_be_written(kind: str, there: tuple[str, ...]):
    made = make_result(0.5, there)
    made.transcript = Transcript("typed, so without times") if "text" in there else None
    assert made.emotion in WRITERS[kind](made)


def test_a_frame_has_a_row_for_each_step(result: Result):
    frame = result.to_frame()
    assert frame.index.tolist() == pytest.approx(result.timeline.times)
    assert frame["alpha_vision"].tolist() == pytest.approx(result.timeline.alpha[:, 2])


def test_without_pandas_it_is_said_what_to_do(result: Result, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DependencyError, match="pip install pandas"):
        result.to_frame()
