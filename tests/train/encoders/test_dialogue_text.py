"""BERT over a dialogue: windows, whose tokens make whose features, and what the past alone can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hff.errors import InputError
from train.corpora.conversation import Conversation
from train.encoders.dialogue_text import NOBODY, DialogueTextEncoder, DialogueTokenizer

WORDS = ("good morning", "what a lovely day it is", "no", "that is the worst news I have had for years", "oh dear")


def dialogue(length: int, who: str = "AB") -> Conversation:
    texts = [WORDS[n % len(WORDS)] for n in range(length)]
    return Conversation("talk", {}, np.zeros(length, int), [who[n % len(who)] for n in range(length)], texts)


@pytest.fixture(scope="module")
def encoder() -> DialogueTextEncoder:
    return DialogueTextEncoder().eval()


@pytest.fixture(scope="module")
def careful() -> DialogueTextEncoder:
    return DialogueTextEncoder(past_only=True).eval()


def features(encoder: DialogueTextEncoder, talks: list[Conversation], window: int = 256) -> torch.Tensor:
    """(B,T,768)."""
    steps = max(map(len, talks))
    windows = DialogueTokenizer(encoder.folder, window).windows(talks, steps)
    with torch.no_grad():
        return encoder(windows, len(talks) * steps).view(len(talks), steps, -1)


@pytest.mark.parametrize("window", [40, 64, 256])
def test_every_utterance_is_read_once_and_no_window_is_too_long(encoder, window):
    talks = [dialogue(30), dialogue(4)]
    windows = DialogueTokenizer(encoder.folder, window).windows(talks, 30)
    assert windows.ids.shape[1] <= window
    assert (len(windows.ids) > 2) == (window < 256)
    closed = windows.owner[windows.closing]
    assert sorted(closed.tolist()) == [*range(30), *range(30, 34)]
    assert (windows.owner[:, 0] == NOBODY).all()  # [CLS] is nobody's
    assert (windows.order[:, 0] == 0).all()
    # Each utterance has what is before and after it in its window, where there is anything.
    for row, owner in enumerate(windows.owner):
        if window > 40 and 0 < int(owner.max()) < 29:
            read = windows.order[row][windows.owner[row] >= 0]
            assert read.min() > 1 or int(owner[owner >= 0].min()) == 0
            assert read.max() < windows.order[row].max()


def test_features_are_those_of_ones_own_words_in_their_dialogue(encoder):
    talk = dialogue(5)
    (alone,) = features(encoder, [talk])
    assert alone.shape == (5, 768)
    beside = features(encoder, [talk, dialogue(8)])
    torch.testing.assert_close(beside[0, :5], alone, atol=1e-4, rtol=1e-4)
    assert not beside[0, 5:].any()
    (other,) = features(encoder, [replace(talk, texts=[*talk.texts[:4], "how wonderful"])])
    changed = (other - alone).abs().amax(-1)
    assert changed[4] > changed[:4].max() > 1e-3  # most where the words are others, and around it too
    (by_one,) = features(encoder, [replace(talk, speakers=["B", "A", "B", "A", "B"])])
    assert (by_one - alone).abs().max() > 1e-3


def test_the_past_alone(careful):
    talk = dialogue(6)
    (before,) = features(careful, [talk])
    (after,) = features(careful, [replace(talk, texts=[*talk.texts[:3], "how wonderful", *talk.texts[4:]])])
    changed = (after - before).abs().amax(-1)
    assert changed[:3].max() < 1e-4
    assert changed[3:].min() > 1e-3


def test_what_cannot_be_read_is_said(tmp_path, encoder):
    with pytest.raises(InputError, match="no transcript"):
        features(encoder, [replace(dialogue(3), texts=[])])
    with pytest.raises(InputError, match=r"no config\.json"):
        DialogueTextEncoder(str(tmp_path))
