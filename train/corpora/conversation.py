"""Dialogues as readers give them: a conversation is a sequence of utterances, a set of them has splits and labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from hff.config import MODALITIES

UNLABELLED = -1  # in place of the number of a class
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


def grouped(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> dict[Hashable, list[Row]]:
    """Rows by what ``key`` says of them, both in the order of first appearance."""
    found: dict[Hashable, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
