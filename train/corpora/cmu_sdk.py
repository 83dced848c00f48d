"""CMU-MOSEI and CMU-MOSI from the CMU Multimodal SDK's computational sequences (``.csd``, which is HDF5).

A sequence is one group with ``data/VIDEO/features`` (N,d) and ``data/VIDEO/intervals`` (N,2), s. The segments of
``CMU_MOSEI_Labels.csd`` (or ``CMU_MOSI_Opinion_Labels.csd``) are the utterances; what of a modality's frames lies in a
segment is averaged. Needed beside them: one file of each modality, the words, and the SDK's list of the standard folds
(``cmu_mosei_std_folds.py``, ``cmu_mosi_std_folds.py``), which is read, not run. Reading needs the package ``h5py``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hff.locale import say
from train.corpora.base import CorpusError, find
from train.corpora.conversation import Conversation, DialogueSet

NAME = "CMU-MOSEI"
CONTENT = "features of opinions in videos, with their sentiment from -3 to 3"
LICENCE = "CMU, research use"
SOURCE = (
    "github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK (immortal.multicomp.cs.cmu.edu), the folds from its "
    "mmsdk/mmdatasdk/dataset/standard_datasets"
)
PARTS: dict[str, str] = {}
_PAUSES = {"sp", ""}  # words that are none
_FOLDS = {"train": "standard_train_fold", "validation": "standard_valid_fold", "test": "standard_test_fold"}


@dataclass(frozen=True)
class Corpus:
    """Where one of the SDK's corpora lies; patterns in order of preference."""

    name: str
    labels: list[str]
    folds: list[str]
    files: dict[str, list[str]]  # by modality, and "words"
    counts: dict[str, int]  # utterances as published


MOSEI = Corpus(
    NAME,
    ["**/CMU_MOSEI_Labels.csd", "**/CMU_MOSEI_LabelsSentiment.csd"],
    ["**/cmu_mosei_std_folds.py"],
    {
        "speech": ["**/CMU_MOSEI_COVAREP.csd"],
        "text": ["**/CMU_MOSEI_TimestampedWordVectors.csd"],
        "vision": ["**/CMU_MOSEI_VisualFacet42.csd", "**/CMU_MOSEI_VisualOpenFace2.csd"],
        "words": ["**/CMU_MOSEI_TimestampedWords.csd"],
    },
    {"train": 16327, "validation": 1871, "test": 4662},  # table 1 of HFF's paper
)
MOSI = Corpus(
    "CMU-MOSI",
    ["**/CMU_MOSI_Opinion_Labels.csd"],
    ["**/cmu_mosi_std_folds.py"],
    {
        "speech": ["**/CMU_MOSI_COVAREP.csd", "**/CMU_MOSI_openSMILE_IS09.csd"],
        "text": ["**/CMU_MOSI_TimestampedWordVectors*.csd"],
        "vision": ["**/CMU_MOSI_Visual_Facet_42.csd", "**/CMU_MOSI_VisualFacet_4.2.csd", "**/CMU_MOSI_*Facet*.csd"],
        "words": ["**/CMU_MOSI_TimestampedWords.csd"],
    },
    {"train": 1284, "validation": 229, "test": 686},  # Zadeh et al. 2018, of CMU-MOSI's standard folds
)


def load(root: Path) -> list[str]:
    """The names of CMU-MOSEI's utterances under ``root``, of all splits."""
    return [name for split in dialogues(root).splits.values() for one in split for name in one.ids]


def dialogues(root: Path, corpus: Corpus = MOSEI) -> DialogueSet:
    """A video's segments as one conversation; a video without a modality has it absent.

    ``CorpusError`` names a file that is missing or is not the SDK's.
    """
    labels = _open(find(root, corpus.labels, corpus.name, SOURCE))
    folds = _folds(find(root, corpus.folds, corpus.name, SOURCE))
    paths = {what: find(root, names, corpus.name, SOURCE) for what, names in corpus.files.items()}
    sequences = {what: _open(path) for what, path in paths.items()}
    words = sequences.pop("words")
    splits = {
        split: [_video(name, labels[name], sequences, words) for name in names if name in labels]
        for split, names in folds.items()
    }
    if not splits["train"]:
        raise CorpusError(say("data.no_utterance", where=f"{corpus.name}, train", source=SOURCE))
    return DialogueSet(corpus.name, (), splits, corpus.counts)


def _video(name: str, labels: Any, sequences: dict[str, Any], words: Any) -> Conversation:
    values, segments = _frames(labels)
    order = np.argsort(segments[:, 0], kind="stable")
    values, segments = values[order], segments[order]
    return Conversation(
        name=name,
        features={m: _by_segment(sequence, name, segments) for m, sequence in sequences.items()},
        labels=values[:, 0].astype(np.float32),
        speakers=[name] * len(segments),
        texts=_texts(words, name, segments),
        ids=[f"{name}[{number}]" for number in range(len(segments))],
    )


def _frames(group: Any) -> tuple[np.ndarray, np.ndarray]:
    """Features (N,d), what is not finite as 0, and intervals (N,2)."""
    x = np.nan_to_num(np.asarray(group["features"], np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return x, np.asarray(group["intervals"], np.float64)


def _by_segment(sequence: Any, name: str, segments: np.ndarray) -> np.ndarray:
    """(S,d): the mean of the frames whose middle lies in each segment; 0 where there is none."""
    if name not in sequence:
        first = next(iter(sequence.values()))
        return np.zeros((len(segments), first["features"].shape[1]), np.float32)
    x, times = _frames(sequence[name])
    x[np.abs(x) > 1e10] = 0  # COVAREP's numbers overflow now and then
    middle = times.mean(1)
    inside = (middle >= segments[:, :1]) & (middle < segments[:, 1:])  # (S,N)
    return (inside @ x / np.maximum(inside.sum(1), 1)[:, None]).astype(np.float32)


def _texts(words: Any, name: str, segments: np.ndarray) -> list[str]:
    if name not in words:
        return [""] * len(segments)
    said = [_word(row[0]) for row in words[name]["features"]]
    middle = np.asarray(words[name]["intervals"], np.float64).mean(1)
    return [
        " ".join(said[i] for i in np.flatnonzero((middle >= start) & (middle < end)) if said[i] not in _PAUSES)
        for start, end in segments
    ]


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _open(path: Path) -> Any:
    """The videos of a sequence, by name."""
    try:
        import h5py
    except ImportError as error:
        raise CorpusError(say("package.needed", what=path.name, package="h5py", command="pip install h5py")) from error
    try:
        file = h5py.File(path, "r")
        (root,) = file.values()
        data = root["data"]
        first = next(iter(data.values()))
        first["features"], first["intervals"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, StopIteration) as error:
        raise _other_file(path, error) from error
    return data


def _folds(path: Path) -> dict[str, list[str]]:
    """The lists of video names in the SDK's Python file, which is parsed and not run."""
    found = {}
    try:
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
        return {split: [str(name) for name in found[theirs]] for split, theirs in _FOLDS.items()}
    except (SyntaxError, ValueError, KeyError, TypeError) as error:
        raise _other_file(path, error) from error


def _other_file(path: Path, error: Exception) -> CorpusError:
    return CorpusError(say("data.other_file", path=path, corpus="the CMU SDK", error=repr(error), source=SOURCE))
