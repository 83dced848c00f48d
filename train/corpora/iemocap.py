"""IEMOCAP with six emotions, as dialogues of utterance features or of words (Busso et al. 2008).

Layouts read, the first that is there:

    IEMOCAP_features*.pkl      github.com/declare-lab/conv-emotion (DialogueRNN, DialogueGCN): a tuple of dictionaries
                               by dialogue - utterance ids, speakers, labels, text, audio and visual features,
                               sentences - and the sets of training and test dialogues; what follows is ignored
    iemocap_features_roberta.pkl   of the same authors' COSMIC: speakers, labels, four layers of text features,
                               sentences, and the lists of training, test and validation dialogues
    iemocap.pkl                the same without features: only words

The raw corpus is read by ``iemocap_raw``. The test dialogues are those of session 5. Where a file names no validation
dialogues, a tenth of the training's are taken, the same ones every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hff.locale import say
from train.corpora import safe_pickle
from train.corpora.base import CorpusError, find
from train.corpora.conversation import UNLABELLED, Conversation, DialogueSet

NAME = "IEMOCAP"
CONTENT = "acted dialogues of two people, as features of their utterances or as words"
LICENCE = "USC, research use on request"
SOURCE = (
    "sail.usc.edu/iemocap (raw: Session1 to Session5), or as features or words from "
    "github.com/declare-lab/conv-emotion (IEMOCAP_features.pkl, iemocap_features_roberta.pkl, iemocap.pkl)"
)
PARTS: dict[str, str] = {}
_FILES = ["**/IEMOCAP_features*.pkl", "**/iemocap_features_roberta.pkl", "**/iemocap.pkl"]
SIX_LABELS = ("happy", "sad", "neutral", "angry", "excited", "frustrated")  # by the numbers of the files
PUBLISHED = {"train": 5146, "validation": 664, "test": 1623}  # utterances, table 1 of HFF's paper
VALIDATION_SHARE = 0.1  # of the training dialogues, where a file names none
_HELD_OUT_SEED = 0

Table = dict[str, Any]  # by dialogue


def load(root: Path) -> list[str]:
    """The names of all utterances under ``root``."""
    return [name for split in dialogues(root).splits.values() for one in split for name in one.ids]


def dialogues(root: Path) -> DialogueSet:
    """The dialogues of the first layout found under ``root``; ``CorpusError`` says what is missing or wrong."""
    return load_file(find(root, _FILES, NAME, SOURCE))


def load_file(path: Path) -> DialogueSet:
    """The dialogues of one of the files above."""
    stored = safe_pickle.load(path, SOURCE)
    if isinstance(stored, tuple | list) and all(isinstance(part, dict) for part in stored[:3]):
        if len(stored) >= 9 and _is_text(stored[1]):
            return _with_features(path, *stored[:9])
        if len(stored) == 10:
            speakers, labels, *layers = stored[:6]
            return _in_words(path, speakers, labels, stored[6], stored[7:], layers)
        if len(stored) == 6:
            speakers, labels, sentences = stored[:3]
            return _in_words(path, speakers, labels, sentences, stored[3:], [])
    raise CorpusError(say("data.layout", file=path.name, corpus=NAME, source=SOURCE))


def _is_text(table: Table) -> bool:
    """Whether a dictionary by dialogue holds lists of names, as of speakers, and not of numbers."""
    return all(isinstance(value, str) for values in table.values() for value in values)


def _with_features(
    path: Path,
    ids: Table,
    speakers: Table,
    labels: Table,
    text: Table,
    audio: Table,
    visual: Table,
    sentences: Table,
    training: Iterable[str],
    test: Iterable[str],
) -> DialogueSet:
    features = {"speech": audio, "text": text, "vision": visual}
    training, validation = held_out(sorted(training))
    names = {"train": training, "validation": validation, "test": sorted(test)}
    return _dialogue_set(path, names, speakers, labels, sentences, features, lambda name: [str(x) for x in ids[name]])


def _in_words(
    path: Path, speakers: Table, labels: Table, sentences: Table, splits: Iterable[Iterable[str]], layers: list[Table]
) -> DialogueSet:
    training, test, validation = map(list, splits)
    # Of COSMIC's four layers the mean: side by side they are 4096 numbers for each of 5000 utterances.
    mean = {name: np.mean([np.asarray(layer[name]) for layer in layers], axis=0) for name in labels if layers}
    features = {"text": mean} if layers else {}
    names = {"train": training, "validation": validation, "test": test}

    def ids(name: str) -> list[str]:
        return [f"{name}_{number:03}" for number in range(len(labels[name]))]

    return _dialogue_set(path, names, speakers, labels, sentences, features, ids)


def held_out(training: list[str]) -> tuple[list[str], list[str]]:
    """Training and validation dialogues."""
    count = max(1, round(VALIDATION_SHARE * len(training)))
    chosen = set(np.random.default_rng(_HELD_OUT_SEED).permutation(len(training))[:count])
    return [name for i, name in enumerate(training) if i not in chosen], [training[i] for i in sorted(chosen)]


def _dialogue_set(
    path: Path,
    names: dict[str, list[str]],
    speakers: Table,
    labels: Table,
    sentences: Table,
    features: dict[str, Table],
    ids: Callable[[str], list[str]],
) -> DialogueSet:
    def conversation(name: str) -> Conversation:
        where = f"{path.name}, dialogue {name}"
        tables = {"speakers": speakers, "labels": labels, "sentences": sentences} | features
        missing = [what for what, table in tables.items() if name not in table]
        if missing:
            raise CorpusError(say("data.lacks", where=where, missing=", ".join(missing)))
        count = len(labels[name])
        for what, table in tables.items():
            if (others := len(table[name])) != count:
                raise CorpusError(
                    say("data.other_number_than_labels", where=where, count=count, others=others, what=what)
                )
        return Conversation(
            name=name,
            features={m: _matrix(table[name], f"{where}, {m}") for m, table in features.items()},
            labels=_numbers(labels[name], where),
            speakers=[str(speaker) for speaker in speakers[name]],
            texts=[str(sentence) for sentence in sentences[name]],
            ids=ids(name),
        )

    splits = {split: [conversation(name) for name in chosen] for split, chosen in names.items()}
    twice = sorted(set(names["train"]) & set(names["test"]))
    if twice:
        raise CorpusError(say("data.in_both_parts", file=path.name, name=twice[0]))
    return DialogueSet(NAME, SIX_LABELS, splits, PUBLISHED)


def _matrix(values: Any, where: str) -> np.ndarray:
    x = safe_pickle.array(values, where)
    if x.ndim != 2:
        raise CorpusError(say("data.shape", where=where, shape=str(x.shape), expected="(T,d)"))
    return x


def _numbers(values: Any, where: str) -> np.ndarray:
    try:
        numbers = np.array([int(value) for value in values], np.int64)
    except (TypeError, ValueError) as error:
        raise CorpusError(say("data.label_word", where=where, error=str(error))) from error
    if len(numbers) and not (numbers.min() >= UNLABELLED and numbers.max() < len(SIX_LABELS)):
        raise CorpusError(say("data.label_range", where=where, most=len(SIX_LABELS) - 1, none=UNLABELLED))
    return numbers
