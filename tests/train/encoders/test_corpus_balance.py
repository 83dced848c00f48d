"""Several corpora of voices at once: who is drawn how often, and what a corpus cannot teach."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from tests.support.corpus_fixtures import voice_of
from train.encoders import corpus_balance


def test_corpora_emotions_and_speakers_are_drawn_alike():
    """A speaker of many recordings, an emotion of few and a large corpus tell nothing by being drawn more."""
    recordings = [
        voice_of("large", label, speaker, n)
        for label in range(3)
        for speaker in range(2)
        for n in range(1 + 9 * speaker + 20 * (label == 0))
    ]
    recordings += [voice_of("small", label, 0, n) for label in (0, 1) for n in range(3)]
    drawn = corpus_balance.drawing_weights(recordings, power=0).numpy()
    assert drawn.sum() == pytest.approx(1)

    def share(**wanted) -> float:
        return sum(
            w for w, u in zip(drawn, recordings, strict=True) if all(getattr(u, k) == v for k, v in wanted.items())
        )

    assert share(corpus="large") == pytest.approx(1 / 2)
    for label in range(3):
        assert share(corpus="large", label=label) == pytest.approx(1 / 6)
        assert share(speaker="large1", label=label) == pytest.approx(1 / 12)
    assert share(corpus="small", label=1) == pytest.approx(1 / 4)
    by_size = corpus_balance.drawing_weights(recordings, power=1).numpy()
    assert by_size[-6:].sum() == pytest.approx(6 / len(recordings))


def test_no_more_than_so_many_of_a_speaker_and_an_emotion():
    recordings = [voice_of("made", label, speaker, n) for label in range(2) for speaker in range(2) for n in range(9)]
    kept = corpus_balance.thin(recordings, 4)
    assert Counter((u.speaker, u.label) for u in kept) == Counter(
        {("made0", 0): 4, ("made0", 1): 4, ("made1", 0): 4, ("made1", 1): 4}
    )
    assert [u.name for u in kept] == [u.name for u in corpus_balance.thin(recordings, 4)]
    assert corpus_balance.thin(recordings, 9) == recordings


def test_an_emotion_that_a_corpus_lacks_takes_no_part_in_its_loss():
    recordings = [voice_of("seven", label, 0, 0) for label in range(7)] + [voice_of("two", n, 0, 0) for n in (0, 3)]
    allowed = corpus_balance.possible(recordings)
    assert allowed.sum(1).tolist() == [7] * 7 + [2] * 2
    logits = torch.randn(9, 7, requires_grad=True)
    target = torch.eye(7)[[u.label for u in recordings]]
    found = corpus_balance.cross_entropy_among(logits, target, allowed, 0.1)
    expected = torch.nn.functional.cross_entropy(logits[:7], target[:7], label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(found[:7], expected)
    pair = torch.nn.functional.cross_entropy(logits[7:, [0, 3]], torch.eye(2), label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(found[7:], pair)
    found.sum().backward()
    assert not logits.grad[7:, [1, 2, 4, 5, 6]].any()
    assert logits.grad[7:, [0, 3]].all()
