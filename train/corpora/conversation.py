"""Dialogues as readers give them: a conversation is a sequence of utterances, a set of them has splits and labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from hff.config import MODALITIES
from hff.locale import say
from train.corpora.base import CorpusError

UNLABELLED = -1  # in place of the number of a class
FOLDS = 5
FOLD_SEED = 0
Row = TypeVar("Row")


@dataclass
class Conversation:
    """T utterances of one dialogue, in the order they were said."""

    name: str
    features: dict[str, np.ndarray]  # by modality, (T,d_m) float32; a modality that the data lacks is left out
    labels: np.ndarray  # (T,) numbers of classes, ``UNLABELLED`` where there is none; or graded sentiment
    speakers: list[str]  # T names
    texts: list[str] = field(default_factory=list)  # T, where there are transcripts
    ids: list[str] = field(default_factory=list)  # T, where utterances have names
    # (T,M) bool, which modality is there; left empty: where its features are not all 0
    present: np.ndarray = field(default_factory=lambda: np.zeros((0, len(MODALITIES)), bool))

    def __post_init__(self) -> None:
        if not len(self.present):
            self.present = np.stack([(self.features_of(m) != 0).any(1) for m in MODALITIES], axis=1)

    def __len__(self) -> int:
        return len(self.labels)

    def features_of(self, modality: str) -> np.ndarray:
        """(T,d) float32; (T,1) zeros for a modality that the data lacks."""
        return self.features.get(modality, np.zeros((len(self), 1), np.float32))

    @property
    def speaker_numbers(self) -> np.ndarray:
        """(T,) int64, speakers numbered by their first word in this dialogue: 0 speaks first."""
        known = {name: number for number, name in enumerate(dict.fromkeys(self.speakers))}
        return np.array([known[name] for name in self.speakers], np.int64)


@dataclass
class DialogueSet:
    """A corpus of dialogues, or of videos; nobody's dialogue is in two splits."""

    name: str
    labels: tuple[str, ...]  # names of the classes; none where labels are graded sentiment, -3 to 3
    splits: dict[str, list[Conversation]]  # "train", "validation" and, where there is one, "test"
    published: dict[str, int] = field(default_factory=dict)  # labelled utterances that the corpus' paper counts

    @property
    def counts(self) -> dict[str, int]:
        """Labelled utterances of each split."""
        return {name: sum(self._labelled(one) for one in split) for name, split in self.splits.items()}

    @property
    def differences(self) -> list[str]:
        """A sentence for each split that is not of the published size."""
        found = self.counts
        return [
            f"{self.name}, {split}: {found.get(split, 0)} labelled utterances, {count} as published"
            for split, count in self.published.items()
            if found.get(split, 0) != count
        ]

    def _labelled(self, one: Conversation) -> int:
        return int((one.labels != UNLABELLED).sum()) if self.labels else len(one)


@dataclass(frozen=True)
class RawUtterance:
    """One utterance as it was recorded."""

    name: str
    dialogue: str
    speaker: str
    label: int  # number of a class, ``UNLABELLED`` where there is none
    text: str
    sound: Path  # of this utterance alone, or a clip with its sound
    video: Path | None  # None where there is none
    start: float = 0.0  # s, in ``video``
    end: float | None = None  # None: to its end
    half: str = ""  # "left" or "right", where two people share the picture


@dataclass
class RawDialogues:
    """A corpus of recordings of dialogues."""

    name: str
    labels: tuple[str, ...]
    splits: dict[str, list[list[RawUtterance]]]  # dialogues, as the splits of a ``DialogueSet``
    published: dict[str, int] = field(default_factory=dict)


def grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> dict[Hashable, list[Row]]:
    """Rows by what ``key`` says of them, both in the order of first appearance."""
    found: dict[Hashable, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def stacked(conversations: Sequence[Conversation], modality: str) -> np.ndarray:
    """A modality's features of all utterances, one conversation after the other: (N,d)."""
    return np.concatenate([one.features_of(modality) for one in conversations])


def all_labels(conversations: Sequence[Conversation]) -> np.ndarray:
    """(N,), in the same order."""
    return np.concatenate([one.labels for one in conversations])


def with_features(conversations: Sequence[Conversation], features: dict[str, np.ndarray]) -> list[Conversation]:
    """The conversations with these features instead, (N,d) by modality in the order of ``stacked``."""
    ends = np.cumsum([len(one) for one in conversations])[:-1]
    parts = {m: np.split(x, ends) for m, x in features.items()}
    nobody = np.zeros((0, len(MODALITIES)), bool)  # so that what is present is looked for anew
    return [
        replace(one, features={m: cut[i] for m, cut in parts.items()}, present=nobody)
        for i, one in enumerate(conversations)
    ]


def folds(conversations: Sequence[Conversation], count: int = FOLDS) -> Iterator[np.ndarray]:
    """Masks (V,) of the conversations held out, ``count`` times: each is held out once."""
    names = sorted(one.name for one in conversations)
    if len(names) < count:
        raise CorpusError(say("data.too_few", folds=count, number=len(names)))
    order = np.random.default_rng(FOLD_SEED).permutation(len(names))
    fold = {names[i]: n % count for n, i in enumerate(order)}
    of = np.array([fold[one.name] for one in conversations])
    for number in range(count):
        yield of == number
