"""What a reader makes of one dialogue, or of one video whose utterances follow each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hff.config import MODALITIES

UNLABELLED = -1  # in place of the number of a class


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
