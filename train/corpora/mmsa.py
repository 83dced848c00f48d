"""Trimodal utterance features in the layout of MMSA (github.com/thuiar/MMSA), as of CMU-MOSI and CMU-MOSEI.

A pickle of ``{"train": split, "valid": split, "test": split}``, ``test`` where there is one; a split is a dictionary of

    id                     N names VIDEO$_$SEGMENT; the segment's number orders the utterances of a video
    raw_text               N transcripts (only needed where words are encoded anew)
    text, audio, vision    (N,d) or (N,L,d) features; frames of L that are all zeros are padding
    regression_labels      (N,) sentiment, graded (-3 to 3) or only its sign (-1, 1)

Only arrays and plain values are read from it (``safe_pickle``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hff.locale import say
from train.corpora import safe_pickle
from train.corpora.base import CorpusError, find
from train.corpora.conversation import Conversation, DialogueSet, grouped
from train.corpora.safe_pickle import array

NAME = "CMU-MOSI"
CONTENT = "features of opinions in videos, with their sentiment"
LICENCE = "CMU, research use"
SOURCE = (
    "github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK, or as MMSA's feature files from github.com/thuiar/MMSA; "
    "the first features: github.com/declare-lab/contextual-utterance-level-multimodal-sentiment-analysis"
)
PARTS: dict[str, str] = {}
FEATURES = {"speech": "audio", "text": "text", "vision": "vision"}  # our name and the layout's
LABEL_KEY = "regression_labels"
REQUIRED = ("train", "valid")
_SPLIT_NAMES = {"train": "train", "valid": "validation", "test": "test"}  # of splits, theirs and ours
SEPARATOR = "$_$"


@dataclass
class _Split:
    """N utterances, those of a video together and in the order they were said."""

    ids: list[str]
    texts: list[str]  # empty where the file has no transcripts
    features: dict[str, np.ndarray]  # "speech", "text", "vision": (N,d) float32
    labels: np.ndarray  # (N,) float32, sentiment

    def conversations(self) -> list[Conversation]:
        """Each video as a monologue."""
        rows = grouped(range(len(self.ids)), lambda i: _video(self.ids[i]))
        return [
            Conversation(
                name=str(video),
                features={m: x[chosen] for m, x in self.features.items()},
                labels=self.labels[chosen],
                speakers=[str(video)] * len(chosen),
                texts=[self.texts[i] for i in chosen] if self.texts else [],
                ids=[self.ids[i] for i in chosen],
            )
            for video, chosen in rows.items()
        ]


def _video(name: str) -> str:
    return name.rsplit(SEPARATOR, 1)[0]


def load(root: Path) -> list[str]:
    """The names of CMU-MOSI's utterances under ``root``, of all splits."""
    path = find(root, ["mosi/*.pkl", "MOSI/**/*.pkl"], NAME, SOURCE)
    return [name for split in load_file(path).splits.values() for one in split for name in one.ids]


def load_file(path: Path) -> DialogueSet:
    """The videos of a feature file; a ``CorpusError`` says what is missing or wrong in it."""
    stored = safe_pickle.load(path, SOURCE)
    if not isinstance(stored, dict):
        raise CorpusError(say("data.no_dictionary", where=path.name, kind=type(stored).__name__))
    missing = [name for name in REQUIRED if name not in stored]
    if missing:
        raise CorpusError(
            say("data.no_split", where=path.name, missing=", ".join(missing), there=", ".join(sorted(map(str, stored))))
        )
    splits = {
        ours: _split(stored[theirs], f"{path.name}, split {theirs}")
        for theirs, ours in _SPLIT_NAMES.items()
        if stored.get(theirs) is not None
    }
    for modality in FEATURES:
        sizes = {name: split.features[modality].shape[1] for name, split in splits.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{split} {size}" for split, size in sizes.items())
            raise CorpusError(say("data.sizes", file=path.name, features=FEATURES[modality], sizes=told))
    labels = splits["train"].labels
    if not labels.min() < 0 < labels.max():
        raise CorpusError(
            say(
                "data.unsigned",
                where=f"{path.name}, split train",
                labels=LABEL_KEY,
                least=float(labels.min()),
                most=float(labels.max()),
            )
        )
    return DialogueSet(path.stem, (), {name: split.conversations() for name, split in splits.items()})


def _split(stored, where: str) -> _Split:
    if not isinstance(stored, dict):
        raise CorpusError(say("data.no_dictionary", where=where, kind=type(stored).__name__))
    missing = [key for key in ("id", *FEATURES.values(), LABEL_KEY) if key not in stored]
    if missing:
        there = ", ".join(sorted(map(str, stored)))
        raise CorpusError(say("data.no_key", where=where, missing=", ".join(missing), there=there))
    ids = [str(name) for name in stored["id"]]
    if not ids:
        raise CorpusError(say("data.no_utterance", where=where, source=SOURCE))
    texts = [str(text) for text in stored.get("raw_text", ())]
    labels = array(stored[LABEL_KEY], f"{where}, {LABEL_KEY}").reshape(-1)
    if not labels.any():
        raise CorpusError(say("data.zero", where=where, labels=LABEL_KEY))
    features = {ours: _features(stored[theirs], f"{where}, {theirs}") for ours, theirs in FEATURES.items()}
    lengths = {FEATURES[m]: len(x) for m, x in features.items()} | {LABEL_KEY: len(labels)}
    lengths |= {"raw_text": len(texts)} if texts else {}
    for what, length in lengths.items():
        if length != len(ids):
            raise CorpusError(say("data.other_number_of", where=where, count=len(ids), others=length, what=what))
    order = _order(ids, where)
    return _Split(
        [ids[i] for i in order],
        [texts[i] for i in order] if texts else [],
        {m: x[order] for m, x in features.items()},
        labels[order],
    )


def _order(ids: list[str], where: str) -> list[int]:
    """Utterances by video, then by number."""

    def key(i: int) -> tuple[str, float]:
        video, separator, segment = ids[i].rpartition(SEPARATOR)
        try:
            return (video if separator else ids[i]), float(segment)
        except ValueError:
            form = f"VIDEO{SEPARATOR}NUMBER"
            raise CorpusError(say("data.name", where=where, name=ids[i], form=form, source=SOURCE)) from None

    return sorted(range(len(ids)), key=key)


def _features(values, where: str) -> np.ndarray:
    """(N,d) as it is, (N,L,d) as the mean of its frames, less those of padding."""
    x = array(values, where)
    if x.ndim == 3:
        there = (x != 0).any(-1, keepdims=True)
        x = (x * there).sum(1) / np.maximum(there.sum(1), 1)
    if x.ndim != 2 or not x.shape[1]:
        raise CorpusError(say("data.shape", where=where, shape=str(np.shape(values)), expected="(N,d), (N,L,d)"))
    return x.astype(np.float32)
