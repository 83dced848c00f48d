"""Where the network looked and which words counted: the truth of it with the shipped weights, and its bounds."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from hff.cancel import Cancel
from hff.encoders.resnet import normalise_faces
from hff.errors import Cancelled
from hff.examples.ready import EXAMPLES
from hff.result import FaceSeen, Transcript, Word, evenly
from hff.saliency import word_effect
from hff.saliency.explanation import explain
from hff.saliency.face_map import HOTTEST_SHARE, FaceMap, face_maps, hottest
from hff.saliency.own_answer import own_answer
from hff.saliency.word_effect import text_answers, word_effects
from tests.support.page_browser import real_model

SENTENCE = next(example.text for example in EXAMPLES if example.key == "sentence")


@cache
def portrait_face() -> FaceSeen:
    path = next(example.path("image") for example in EXAMPLES if example.key == "portrait")
    return real_model().read(image=path).faces[0]


def said_of(crop: np.ndarray) -> torch.Tensor:
    """(7,) what the model says of a crop alone."""
    model = real_model()
    with torch.inference_mode():
        features = model.encoders.vision.mirrored_features(normalise_faces(crop[None]))
        return own_answer(model.model, "vision", features)[0]


def painted(crop: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.where(chosen, round(crop.mean()), crop).astype(np.uint8)


@pytest.mark.usefixtures("full_precision")  # a map's slopes need it, so all that is explained has it
def test_what_is_explained_is_what_the_page_shows_of_each_one_alone():
    path = next(example.path("image") for example in EXAMPLES if example.key == "portrait")
    result = real_model().analyze(image=path, text=SENTENCE, samples=0)
    found = explain(real_model(), result.evidence.faces, result.transcript)
    ((_, own),), (words,) = found.faces, found.words
    for said, modality in ((own, "vision"), (words, "text")):
        alone = result.per_modality[modality]
        assert said.emotion == max(alone, key=alone.get)
        assert said.probability == pytest.approx(alone[said.emotion], abs=1e-4)


def test_the_hottest_fifth_of_a_face_painted_over_lowers_the_answer_more_than_others():
    path = next(example.path("video") for example in EXAMPLES if example.key == "actor")
    crops = [face.crop for face in evenly(real_model().read(video=path, transcribe=False).faces, 5)]
    rng = np.random.default_rng(0)
    falls = []
    for crop, own in zip(crops, face_maps(real_model(), crops), strict=True):
        assert own.hottest.mean() == pytest.approx(HOTTEST_SHARE, abs=1e-3)
        label = int(said_of(crop).argmax())
        others = [hottest(-own.heat[None])[0], *(hottest(rng.random((1, 48, 48)))[0] for _ in range(3))]
        falls.append(
            [own.probability - float(said_of(painted(crop, chosen))[label]) for chosen in (own.hottest, *others)]
        )
    most, *others = np.mean(falls, 0)
    assert most > 0.25
    assert most > max(others) + 0.2


def test_the_words_of_largest_effect_left_out_lower_the_answer_more_than_others():
    (said,) = word_effects(real_model(), Transcript(SENTENCE))
    assert (said.emotion, said.start) == ("fearful", None)
    assert [word.text for word in said.words] == SENTENCE.split()
    order = sorted(range(len(said.words)), key=lambda place: said.words[place].effect)
    assert said.words[order[-1]].text == "scared"
    without = [
        " ".join(word.text for place, word in enumerate(said.words) if place not in gone)
        for gone in (order[-2:], order[:2])
    ]
    label = real_model().config.labels.index("fearful")
    most, least = text_answers(real_model(), without)[:, label].tolist()
    assert most < least - 0.1
    assert most < said.probability - 0.1


def test_the_mirror_image_has_the_mirrored_map():
    crop = portrait_face().crop
    straight, mirrored = face_maps(real_model(), [crop, np.ascontiguousarray(crop[:, ::-1])])
    np.testing.assert_allclose(mirrored.heat, straight.heat[:, ::-1], atol=1e-3)


def test_a_map_goes_from_nothing_to_one():
    (own,) = face_maps(real_model(), [portrait_face().crop])
    assert own.heat.shape == (48, 48)
    assert own.heat.min() >= 0
    assert own.heat.max() == pytest.approx(1)
    assert not FaceMap("happy", 0.2, np.zeros((48, 48), np.float32)).hottest.any()


def test_each_utterance_is_told_by_itself():
    spoken = ["I", "love", "it.", "Go", "away!"]
    words = [Word(text, 1.0 * place, place + 0.5, 1.0) for place, text in enumerate(spoken)]
    found = word_effects(real_model(), Transcript(" ".join(spoken), words, "recognised"))
    assert [[word.text for word in said.words] for said in found] == [spoken[:3], spoken[3:]]
    assert [said.start for said in found] == [0.0, 3.0]


def test_a_single_word_left_out_leaves_a_guess():
    (said,) = word_effects(real_model(), Transcript("Wonderful!"))
    assert said.words[0].effect == pytest.approx(said.probability - 1 / 7)


def test_a_long_text_is_told_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(word_effect, "MOST_WORDS", 5)
    found = word_effects(real_model(), Transcript("one two three four five six seven"))
    assert [word.text for said in found for word in said.words] == "one two three four five".split()


def test_without_face_and_words_there_is_nothing():
    for transcript in (None, Transcript("")):
        found = explain(real_model(), [], transcript)
        assert (found.faces, found.words) == ((), ())


@pytest.mark.parametrize(("faces", "text"), [(1, None), (0, "Go away!")])
def test_it_can_be_stopped(faces: int, text: str | None):
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        explain(real_model(), faces * [portrait_face()], text and Transcript(text), cancel=cancel)


def test_the_model_is_left_as_it_was():
    model = real_model()
    before = model.analyze(text=SENTENCE, samples=0).probabilities
    explain(model, [portrait_face()], Transcript(SENTENCE))
    for part in (model.model, *vars(model.encoders).values()):
        assert all(parameter.grad is None for parameter in part.parameters())
    assert model.analyze(text=SENTENCE, samples=0).probabilities == before


def test_faces_are_chosen_from_the_first_to_the_last():
    faces = [FaceSeen(0.1 * n, (0, 0, 1, 1), 1.0, np.zeros((48, 48), np.uint8)) for n in range(9)]
    assert [round(face.time, 1) for face in evenly(faces, 3)] == [0.0, 0.4, 0.8]
    assert evenly(faces[:2], 5) == faces[:2]
    assert evenly([], 5) == []
