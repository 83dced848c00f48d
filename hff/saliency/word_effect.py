"""Which words moved what the text says: each one left out in turn (leave-one-out occlusion).

Li, Monroe, Jurafsky, "Understanding Neural Networks through Representation Erasure", arXiv 1612.08220. Gradient times
input costs one pass instead of one a word, and names the words less well (``python -m train saliency``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hff.cancel import checkpoint
from hff.encoders.bert import split_pieces
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.utterances import utterances
from hff.result import Transcript
from hff.saliency.own_answer import own_answer

MOST_WORDS = 300  # of a transcript, from its beginning, that are left out one after the other
TEXTS_AT_ONCE = 32


@dataclass(frozen=True)
class WordEffect:
    """One word, and what leaving it out takes from the probability of the answer; below 0 what that adds."""

    text: str
    effect: float


@dataclass(frozen=True)
class UtteranceEffect:
    """What one utterance, which the model reads by itself, says, and what each of its words has to do with it."""

    emotion: str
    probability: float
    words: tuple[WordEffect, ...]
    start: float | None = None  # s; None of typed text


def word_effects(analyzer: Analyzer, transcript: Transcript | None) -> list[UtteranceEffect]:
    """Of each utterance of a transcript, up to ``MOST_WORDS`` words in all; typed text counts as one while it fits.

    Raises ``Cancelled`` where the work in force is to stop.
    """
    found: list[UtteranceEffect] = []
    left = MOST_WORDS
    for text, start in _utterances(transcript):
        words = text.split()[:left]
        left -= len(words)
        if words:
            found.append(_effect(analyzer, words, start))
    return found


def _utterances(transcript: Transcript | None) -> list[tuple[str, float | None]]:
    """What is read as one, and when it begins."""
    if transcript is None:
        return []
    if transcript.words:
        return [(said.text, said.start) for said in utterances(transcript.words)]
    return [(piece, None) for piece in split_pieces(transcript.text)]


def _effect(analyzer: Analyzer, words: list[str], start: float | None) -> UtteranceEffect:
    said = text_answers(analyzer, [" ".join(words), *left_out(words)])
    label = int(said[0].argmax())
    whole, without = float(said[0, label]), said[1:, label].tolist()
    effects = tuple(WordEffect(word, whole - other) for word, other in zip(words, without, strict=True))
    return UtteranceEffect(analyzer.config.labels[label], whole, effects, start)


def left_out(words: Sequence[str]) -> list[str]:
    """The text without each of its words in turn."""
    return [" ".join([*words[:place], *words[place + 1 :]]) for place in range(len(words))]


@torch.inference_mode()
def text_answers(analyzer: Analyzer, texts: Sequence[str]) -> torch.Tensor:
    """What the model says of N texts, each alone: probabilities (N,C); of an empty one that of a guess."""
    found = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        checkpoint()
        part = list(texts[first : first + TEXTS_AT_ONCE])
        said = own_answer(analyzer.model, "text", analyzer.encoders.text.features(part)).cpu()
        there = torch.tensor([bool(text) for text in part])[:, None]
        found.append(torch.where(there, said, torch.full_like(said, 1 / said.shape[1])))
    return torch.cat(found)
