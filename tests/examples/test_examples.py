"""What the ready examples claim comes true with the shipped weights."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hff.config import MODALITIES
from hff.examples.ready import EXAMPLES
from hff.result import Result
from tests.support.page_browser import real_model

# Key: the emotion it reads, and the modality with the largest alpha.
CLAIMS = {
    "clip": ("happy", "vision"),
    "covered": ("happy", "vision"),
    "silent": ("happy", "vision"),
    "agreed": ("happy", "vision"),
    "actor": ("angry", "speech"),
    "misread": ("neutral", "vision"),
    "voice": ("sad", "text"),
    "sarcasm": ("happy", "text"),
    "portrait": ("happy", "vision"),
    "sentence": ("fearful", "text"),
    "mixed": ("happy", "vision"),
}


@cache
def reading(key: str) -> Result:
    example = next(example for example in EXAMPLES if example.key == key)
    given = {kind: path for kind in ("video", "audio", "image") if (path := example.path(kind))}
    return real_model().analyze(**given, text=example.text or None)


def test_every_example_claims_something():
    assert list(CLAIMS) == [example.key for example in EXAMPLES]


@pytest.mark.parametrize("key", CLAIMS)
def test_an_example_reads_what_it_claims(key: str):
    result = reading(key)
    assert (result.emotion, max(result.alpha, key=result.alpha.__getitem__)) == CLAIMS[key]


def test_alpha_leaves_the_covered_face():
    line = reading("covered").timeline
    face = line.alpha[:, MODALITIES.index("vision")]
    dark = line.times > reading("covered").seconds / 2 + 1
    assert np.nanmean(face[~dark]) > 0.7
    assert np.nanmax(face[dark]) < 0.05


def test_what_is_not_there_has_no_weight():
    assert reading("silent").alpha == pytest.approx({"speech": 0, "text": 0, "vision": 1})
    assert reading("sentence").alpha == pytest.approx({"speech": 0, "text": 1, "vision": 0})


def test_a_voice_of_a_machine_leaves_the_model_unsure():
    result = reading("voice")
    assert result.probabilities[result.emotion] < 0.5
    assert result.variance["speech"] > 0.6


def test_a_voice_unlike_any_it_knows_gives_way_to_the_words():
    result = reading("sarcasm")
    assert result.alpha["text"] > 0.9
    assert result.variance["speech"] > 2 * result.variance["text"]


def test_the_glad_actor_s_voice_and_face_say_the_same():
    alone = reading("agreed").per_modality
    assert alone["speech"]["happy"] > 0.8
    assert alone["vision"]["happy"] > 0.8


def test_the_shouting_actor_s_voice_decides_against_his_face():
    alone = reading("actor").per_modality
    assert max(alone["speech"], key=alone["speech"].get) == "angry"
    assert max(alone["vision"], key=alone["vision"].get) != "angry"


def test_the_surprised_actor_is_heard_but_not_seen():
    alone = reading("misread").per_modality
    assert max(alone["speech"], key=alone["speech"].get) == "surprised"
    assert max(alone["vision"], key=alone["vision"].get) == "neutral"


def test_sad_words_and_a_glad_face_are_weighed():
    result = reading("mixed")
    alone = result.per_modality
    assert max(alone["text"], key=alone["text"].get) == "sad"
    assert 0.3 < result.alpha["text"] < result.alpha["vision"]
