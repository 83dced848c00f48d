"""Learning from several corpora of voices at once: who is drawn how often, and what a corpus cannot teach.

A corpus has its own speakers, rooms, language and choice of emotions. So that none of that tells the emotion, corpora,
their emotions and their speakers are drawn alike, and an emotion that a corpus lacks takes no part in the loss
of its recordings: "no surprise in EmoDB" is nothing to learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hff.config import EMOTIONS
from train.corpora.base import Utterance

PER_CELL = 20  # recordings of a speaker and an emotion, at most
CORPUS_POWER = 0.5  # of a corpus' size that it is drawn by: 0 draws all corpora alike, 1 all recordings
FAR_BELOW = -1e4  # added to the logit of an emotion that is out of the question


def thin(utterances: Sequence[Utterance], most: int, seed: int = 0) -> list[Utterance]:
    """At most ``most`` random recordings of each speaker and emotion, in their order: more teach little more."""
    order = np.random.default_rng([seed, most]).permutation(len(utterances))
    counts: dict[tuple[str, int], int] = {}
    kept = []
    for number in order:
        cell = utterances[number].speaker, utterances[number].label
        counts[cell] = counts.get(cell, 0) + 1
        if counts[cell] <= most:
            kept.append(number)
    return [utterances[number] for number in sorted(kept)]


def possible(utterances: Sequence[Utterance]) -> Tensor:
    """(R,C) bool: the emotions that each recording's corpus has."""
    has = {u.corpus: torch.zeros(len(EMOTIONS), dtype=torch.bool) for u in utterances}
    for utterance in utterances:
        has[utterance.corpus][utterance.label] = True
    return torch.stack([has[u.corpus] for u in utterances])


def drawing_weights(utterances: Sequence[Utterance], power: float = CORPUS_POWER) -> Tensor:
    """(R,) float64, summing to 1: how often each recording is drawn.

    Within a corpus its emotions alike, within an emotion its speakers alike, within a speaker all recordings alike.
    """
    corpora = [u.corpus for u in utterances]
    emotions = [(u.corpus, u.label) for u in utterances]
    cells = [(u.corpus, u.label, u.speaker) for u in utterances]
    drawn = torch.ones(len(utterances), dtype=torch.float64) / _totals(cells, torch.ones(len(cells)))
    drawn = drawn / _totals(emotions, drawn)
    drawn = drawn / _totals(corpora, drawn) * _totals(corpora, torch.ones(len(corpora))) ** power
    return drawn / drawn.sum()


def _totals(keys: Sequence, values: Tensor) -> Tensor:
    """(R,) the sum of ``values`` (R,) over all that share an item's key."""
    numbers = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    index = torch.tensor([numbers[key] for key in keys])
    return torch.zeros(len(numbers), dtype=torch.float64).index_add_(0, index, values.double())[index]


def cross_entropy_among(logits: Tensor, target: Tensor, allowed: Tensor, smoothing: float = 0.0) -> Tensor:
    """(N,C) logits, shares ``target`` (N,C) and bool ``allowed`` (N,C) -> (N,); smoothed among the allowed alone."""
    log = F.log_softmax(logits.float() + torch.where(allowed, 0.0, FAR_BELOW), -1)
    even = allowed / allowed.sum(-1, keepdim=True).clamp_min(1)
    goal = (1 - smoothing) * target * allowed + smoothing * even
    return -(goal * log).sum(-1)
