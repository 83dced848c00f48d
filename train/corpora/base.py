"""What every corpus reader shares: where files lie, how labels become distributions."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hff.config import EMOTIONS
from hff.errors import HFFError
from hff.locale import say
from train.engine import data_files

# Labels of corpora that call Ekman's six emotions by their nouns.
EKMAN = {
    "neutral": "neutral",
    "joy": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "disgust": "disgusted",
    "surprise": "surprised",
}


class CorpusError(HFFError):
    """A corpus folder that is missing or partial: the message names the file and where to get it."""


@dataclass
class Sentence:
    """A text with its target: a distribution over the labels of ``EMOTIONS``."""

    text: str
    target: np.ndarray  # (7,) float32
    corpus: str
    split: str  # "train", "fusion", "validation" or "test"

    @property
    def label(self) -> int:
        return int(self.target.argmax())


@dataclass
class Utterance:
    """A voice recording with its label."""

    name: str
    wave: np.ndarray  # (N,) float32, 16 kHz mono
    label: int
    speaker: str
    corpus: str
    split: str


@dataclass
class Faces:
    """Grey face crops with the share of each label among their raters' votes."""

    images: np.ndarray  # (N,48,48) uint8
    votes: np.ndarray  # (N,7) float32, rows sum to 1
    labels: np.ndarray  # (N,) majority label, index into EMOTIONS
    splits: np.ndarray  # (N,) "train", "fusion", "validation" or "test"
    first: np.ndarray | None = None  # (N,) label of an earlier, single rater, -1 where unknown; None without one

    def __len__(self) -> int:
        return len(self.labels)


def target(names: list[str]) -> np.ndarray:
    """Equal shares for the given labels of ``EMOTIONS``."""
    values = np.zeros(len(EMOTIONS), np.float32)
    for name in names:
        values[EMOTIONS.index(name)] = 1 / len(names)
    return values


def find(root: Path, names: list[str], corpus: str, source: str) -> Path:
    """The first of ``names`` (relative paths or glob patterns) under ``root``; else a ``CorpusError``."""
    for name in names:
        found = next(iter(sorted(root.glob(name))), None) or next(iter(sorted(root.rglob(name))), None)
        if found is not None:
            return data_files.used(corpus, found)
    missing = "data.none_in_folder" if root.is_dir() else "data.none_without_folder"
    raise CorpusError(say(missing, corpus=corpus, names=", ".join(names), folder=root, source=source))


def read_rows(
    path: Path, delimiter: str = ",", fieldnames: list[str] | None = None, needed: Iterable[str] = ()
) -> list[dict[str, str]]:
    """The rows of a table with a header (or ``fieldnames``); one without the ``needed`` columns is refused."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file, delimiter=delimiter, fieldnames=fieldnames)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            there = ", ".join(reader.fieldnames or ())
            raise CorpusError(say("data.no_column", path=path, missing=", ".join(missing), there=there))
        rows = list(reader)
    broken = next((n for n, row in enumerate(rows, 2) if any(row[name] is None for name in needed)), None)
    if broken is not None:
        raise CorpusError(say("data.row_cut_off", path=path, row=broken))
    return rows


def label(names: dict[str, Any], word: str, path: Path) -> Any:
    """What ``word`` means among a corpus' label ``names``; an unknown one is refused."""
    if word not in names:
        raise CorpusError(say("data.unknown_label", path=path, word=word, known=", ".join(names)))
    return names[word]


def load_found(corpora: Iterable[ModuleType], root: Path, none_will_do: bool = False) -> list[Any]:
    """The items of all corpora that are there, with a note for each that is not.

    None at all is an error, that of the first corpus, unless ``none_will_do``.
    """
    items: list[Any] = []
    missing: list[CorpusError] = []
    for corpus in corpora:
        try:
            items += corpus.load(root)
        except CorpusError as error:
            missing.append(error)
    if missing and not items and not none_will_do:
        raise missing[0]
    for one in missing:
        print(f"note: goes on without {one}", flush=True)
    return items


def hold_out(sentences: list[Sentence], every: int = 6) -> list[Sentence]:
    """Give every sixth training item to the "fusion" split, which the encoders never learn from."""
    training = [s for s in sentences if s.split == "train"]
    for sentence in training[::every]:
        sentence.split = "fusion"
    return sentences
