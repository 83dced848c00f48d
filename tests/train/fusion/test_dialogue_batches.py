"""Dialogues in batches: padding, masks, speakers and labels; and models that read them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.model_fixtures import small_config, small_model
from train.corpora.conversation import Conversation
from train.fusion.dialogue_batches import DialogueBatch, batches, collate


class Words:
    """A task of three classes."""

    names = ("calm", "glad", "cross")

    def targets(self, labels: np.ndarray) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[labels] * (labels >= 0)[:, None]


def conversation(length: int, seed: int = 0, **changes) -> Conversation:
    rng = np.random.default_rng(seed)
    features = {"speech": 12, "text": 10, "vision": 8}
    made = {
        "name": f"dialogue {seed}",
        "features": {m: rng.normal(size=(length, d)).astype(np.float32) for m, d in features.items()},
        "labels": rng.integers(0, 3, length),
        "speakers": [("Ann", "Bob", "Cid")[n % 3] for n in range(length)],
    }
    return Conversation(**(made | changes))


def test_padding_is_nobody_saying_nothing():
    batch = collate([conversation(2, 0), conversation(5, 1)], Words())
    assert batch.present.shape == (2, 5, 3)
    assert batch.mask.tolist() == [[True, True, False, False, False], [True] * 5]
    assert not batch.present[0, 2:].any()
    assert not batch.labelled[0, 2:].any()
    assert batch.labels[0, 2:].tolist() == [-1, -1, -1]
    for name, size in (("speech", 12), ("text", 10), ("vision", 8)):
        assert batch.inputs[name].shape == (2, 5, size)
        assert not batch.features[name][0, 2:].any()


def test_speakers_are_numbered_as_they_appear():
    batch = collate([conversation(4, speakers=["Zoe", "Ann", "Zoe", "Bob"])], Words())
    assert batch.speakers.tolist() == [[0, 1, 0, 2]]


def test_an_utterance_without_label_is_there_and_not_scored():
    batch = collate([conversation(3, labels=np.array([2, -1, 0]))], Words())
    assert batch.mask.all()
    assert batch.labelled.tolist() == [[True, False, True]]
    assert batch.labels.tolist() == [[2, -1, 0]]


def test_what_the_data_lacks_is_absent():
    one = conversation(3)
    features = {"text": one.features["text"], "speech": one.features["speech"] * [[1], [0], [1]]}
    batch = collate([conversation(3, features=features)], Words())
    assert batch.features["vision"].shape == (1, 3, 1)
    assert batch.present.tolist() == [[[True, True, False], [False, True, False], [True, True, False]]]


def test_batches_hold_every_dialogue_once():
    several = [conversation(n, n) for n in range(1, 8)]
    lengths = [int(n) for batch in batches(several, Words(), 3) for n in batch.mask.sum(1)]
    assert lengths == list(range(1, 8))
    mixed = [int(n) for batch in batches(several, Words(), 3, np.random.default_rng(0)) for n in batch.mask.sum(1)]
    assert mixed != lengths
    assert sorted(mixed) == lengths


def answers(model: torch.nn.Module, batch: DialogueBatch) -> torch.Tensor:
    """Each utterance's answer (B,T,C)."""
    with torch.no_grad():
        return model(**batch.inputs).step_logits[0]


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("past_only", [True, False])
def test_past_only_is_what_it_says(past_only, bounded):
    """What is said later changes an answer where it may, and what is said before changes it always."""
    model = small_model(past_only=past_only, bounded=bounded)
    batch = collate([conversation(6)], Words())
    before = answers(model, batch)
    batch.features["text"][0, 3] *= -2
    moved = (answers(model, batch) - before).abs().amax(-1)[0] > 1e-6
    assert moved[3:].all()
    assert bool(moved[:3].any()) is not past_only


def test_speakers_change_answers_where_they_are_told_apart():
    one, other = (collate([conversation(4, speakers=who)], Words()) for who in (["A", "A", "A", "A"], ["A", "B"] * 2))
    assert torch.equal(answers(small_model(), one), answers(small_model(), other))
    model = small_model(speakers=2)
    assert not torch.allclose(answers(model, one), answers(model, other))
    with torch.no_grad():
        alone = model(**{name: x for name, x in one.inputs.items() if name != "speakers"})
    torch.testing.assert_close(alone.step_logits[0], answers(model, one))


def test_speakers_beyond_the_last_share_its_number():
    many, three = (collate([conversation(5, speakers=who)], Words()) for who in ([*"ABCDE"], [*"ABCCC"]))
    model = small_model(speakers=3)
    torch.testing.assert_close(answers(model, many), answers(model, three))
    with pytest.raises(ValueError, match="speakers must be"):
        small_config(speakers=-1)
