"""Weights set by hand, and corruption, on a real actor's clip: what is set is what is used, shown, and said."""

from __future__ import annotations

import numpy as np
import pytest

from hff.config import MODALITIES
from hff.examples.ready import EXAMPLES
from hff.lab.by_hand import HandUse, clip_weights, hand_use
from hff.lab.corrupted_material import KINDS
from hff.lab.lab import Lab
from hff.lab.state import Corruption, LabState
from tests.support.page_browser import real_model
from tests.support.page_fixtures import make_result


@pytest.fixture(scope="module")
def lab() -> Lab:
    """A voice with silence around it, words, and a face that is there all the time."""
    actor = next(example for example in EXAMPLES if example.key == "misread")
    return Lab(real_model(), real_model().read(video=actor.path("video")))


def by_hand(*weights: float) -> LabState:
    return LabState(samples=4, alpha=weights)


@pytest.mark.parametrize(
    "weights", [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.2, 0.5, 0.3), (0.5, 0.5, 0.0)]
)
def test_what_is_set_is_what_is_shown_and_adds_up_to_1(lab: Lab, weights):
    result = lab.infer(by_hand(*weights))
    assert list(result.alpha.values()) == pytest.approx(weights)
    line = result.timeline
    used = line.alpha[line.alpha.any(1)]
    np.testing.assert_allclose(used.sum(1), 1, atol=1e-6)
    whole = line.present.all(1)
    np.testing.assert_allclose(line.alpha[whole], [weights] * whole.sum(), atol=1e-6)


@pytest.mark.parametrize("modality", MODALITIES)
def test_who_gets_all_the_weight_gives_the_answer(lab: Lab, modality: str):
    result = lab.infer(by_hand(*(float(m == modality) for m in MODALITIES)))
    alone = result.per_modality[modality]
    assert result.emotion == max(alone, key=alone.__getitem__)
    assert result.probabilities == pytest.approx(alone, abs=0.02)


def test_what_each_says_alone_does_not_depend_on_the_weights_that_were_set(lab: Lab):
    own, words = lab.infer(LabState(samples=4)), lab.infer(by_hand(0, 1, 0))
    for m in MODALITIES:
        assert words.per_modality[m] == pytest.approx(own.per_modality[m], abs=0.02)
    assert words.shapley["speech"] == words.shapley["vision"] == pytest.approx(0, abs=1e-6)
    assert words.shapley["text"] == pytest.approx(words.probabilities[words.emotion] - 1 / len(words.probabilities))


def test_it_is_said_where_weights_could_not_be_used_as_set():
    present = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], bool)
    line = make_result(2).timeline
    line.present, line.alpha, line.beta = (
        present,
        present / np.maximum(present.sum(1, keepdims=True), 1),
        np.ones(4) / 4,
    )
    assert hand_use((0.5, 0.5, 0), line) == HandUse(shared_seconds=1.0)
    assert hand_use((1, 0, 0), line) == HandUse(left_out_seconds=0.5)
    assert hand_use((0.5, 0, 0.5), line) == HandUse(absent=("vision",), left_out_seconds=0.5)
    assert clip_weights((0.5, 0, 0.5), line) == {"speech": 1, "text": 0, "vision": 0}
    line.present = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    line.alpha = line.present.astype(float)
    assert clip_weights((0.9, 0.1, 0), line) == line.mean_alpha  # at no moment could they be used as set


# ---- corruption of a real clip ------------------------------------------------------------------------------


def hurt(lab: Lab, modality: str, kind: str):
    state = LabState(samples=4)
    return lab.infer(state.but(corruption={**state.corruption, modality: Corruption(kind, 1.0)}))


def test_a_black_face_has_hardly_a_weight_though_it_is_alone_in_the_pauses(lab: Lab):
    black = hurt(lab, "vision", "dark")
    assert black.alone_seconds["vision"] > 0
    assert black.alpha["vision"] < 0.15
    assert max(black.alpha, key=black.alpha.__getitem__) == "speech"


@pytest.mark.parametrize("kind", KINDS["speech"])
def test_noise_makes_no_voice_where_nobody_spoke(lab: Lab, kind: str):
    silent = ~lab.infer(LabState(samples=4)).timeline.present[:, 0]
    assert silent.any()
    assert not hurt(lab, "speech", kind).timeline.present[silent, 0].any()


def test_a_voice_in_a_room_full_of_talk_has_hardly_a_weight(lab: Lab):
    assert hurt(lab, "speech", "babble").alpha["speech"] < 0.05
