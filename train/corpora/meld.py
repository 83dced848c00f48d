"""MELD: dialogues of the series Friends (Poria et al. 2019), whole or one utterance at a time.

Layouts read: ``text/meld_{train,dev,test}.csv``, or the public ``{train,dev,test}_sent_emo.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hff.config import EMOTIONS
from hff.locale import say
from train.corpora.base import EKMAN, CorpusError, Sentence, find, hold_out, label, read_rows, target
from train.corpora.conversation import Conversation, DialogueSet, RawDialogues, RawUtterance, grouped

NAME = "MELD"
CONTENT = "dialogue of a television series"
TEST = "test, one utterance"
LICENCE = "GPL-3.0"
SOURCE = "github.com/declare-lab/MELD (data/MELD/*_sent_emo.csv)"
HUB = "declare-lab/MELD"
PARTS: dict[str, str] = {"text": "five sixths of its training part", "fusion": "the other sixth"}
# The public files hold Windows-1252 punctuation read as control characters.
_PUNCTUATION = str.maketrans(
    {"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x85": "...", "\x97": " - ", "’": "'"}
)


CLIP_FOLDERS = {"train": "train_splits", "validation": "dev_splits_complete", "test": "output_repeated_splits_test"}
RAW_SOURCE = "web.eecs.umich.edu/~mihalcea/downloads/MELD.Raw.tar.gz"
PUBLISHED = {"train": 9989, "validation": 1109, "test": 2610}  # utterances (Poria et al. 2019, table 3)


def load(root: Path) -> list[Sentence]:
    return hold_out(
        [
            Sentence(text(row), target([label(EKMAN, row["Emotion"], path)]), "meld", split)
            for split, path, rows in _files(root)
            for row in rows
        ]
    )


def dialogues(root: Path) -> DialogueSet:
    """Whole dialogues in the order they were said, text alone; the seven labels by the model's names."""
    splits = {}
    for split, path, rows in _files(root, more=("Speaker", "Dialogue_ID", "Utterance_ID")):
        rows.sort(key=lambda row: (int(row["Dialogue_ID"]), int(row["Utterance_ID"])))
        splits[split] = [
            Conversation(
                name=f"{split} {number}",
                features={},
                labels=np.array([EMOTIONS.index(label(EKMAN, row["Emotion"], path)) for row in said]),
                speakers=[row["Speaker"].translate(_PUNCTUATION) for row in said],
                texts=[text(row) for row in said],
                ids=[f"dia{number}_utt{row['Utterance_ID']}" for row in said],
            )
            for number, said in grouped(rows, lambda row: row["Dialogue_ID"]).items()
        ]
    return DialogueSet(NAME, EMOTIONS, splits, PUBLISHED)


def raw(root: Path) -> RawDialogues:
    """Every utterance with its clip, as in MELD.Raw; one whose clip is missing is named."""
    found = dialogues(root)
    splits = {}
    for split, several in found.splits.items():
        folder = _clips(root, split)
        splits[split] = [
            [
                RawUtterance(name, one.name, speaker, int(number), words, _clip(folder, name), _clip(folder, name))
                for name, speaker, number, words in zip(one.ids, one.speakers, one.labels, one.texts, strict=True)
            ]
            for one in several
        ]
    return RawDialogues(f"{NAME} raw", found.labels, splits, PUBLISHED)


def _clips(root: Path, split: str) -> Path:
    return find(root, [f"**/{CLIP_FOLDERS[split]}/dia*_utt*.mp4"], f"{NAME} clips", RAW_SOURCE).parent


def _clip(folder: Path, name: str) -> Path:
    path = folder / f"{name}.mp4"
    if not path.is_file():
        raise CorpusError(say("data.missing", corpus=NAME, path=path, source=RAW_SOURCE))
    return path


def text(row: dict[str, str]) -> str:
    """What is said in a row of the table."""
    return row["Utterance"].translate(_PUNCTUATION)


def _files(root: Path, more: tuple[str, ...] = ()) -> Iterator[tuple[str, Path, list[dict[str, str]]]]:
    """Each split's name, table and rows."""
    for name, split in (("train", "train"), ("dev", "validation"), ("test", "test")):
        path = find(root, [f"text/meld_{name}.csv", f"{name}_sent_emo.csv"], NAME, SOURCE)
        yield split, path, read_rows(path, needed=("Utterance", "Emotion", *more))
