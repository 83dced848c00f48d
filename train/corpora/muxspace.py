"""muxspace facial expressions: faces of public figures and others, labelled by students (noisy); all for training.

Layouts read: ``faces/muxspace_faces112.npz`` (112 px), or the public ``data/legend.csv`` (columns image, emotion)
beside ``images/``. Contempt has no place among the labels and is left out, as is the second of two near copies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hff.config import EMOTIONS, FACE_SIZE
from hff.locale import say
from train.corpora.base import CorpusError, Faces, find, read_rows
from train.corpora.fer import pictures_of
from train.engine import data_files

NAME = "muxspace"
CONTENT = "faces of public figures and others, labelled by students"
LICENCE = "Apache-2.0 (repository)"
SOURCE = "github.com/muxspace/facial_expressions"
PARTS: dict[str, str] = {"vision": "all of it"}
_ARCHIVE = (3, 5, 4, 1, 2, 6, 0)  # our label of angry disgust fear happy sad surprise neutral
_WORDS = {
    "neutral": "neutral",
    "happiness": "happy",
    "sadness": "sad",
    "sad": "sad",
    "anger": "angry",
    "angry": "angry",
    "fear": "fearful",
    "fearful": "fearful",
    "disgust": "disgusted",
    "disgusted": "disgusted",
    "surprise": "surprised",
    "surprised": "surprised",
}


def load(root: Path) -> Faces:
    path = find(root, ["faces/muxspace_faces112.npz", "data/legend.csv"], NAME, SOURCE)
    pictures, labels = _from_npz(path) if path.suffix == ".npz" else _from_legend(path)
    images = np.stack([_to_face_size(picture) for picture in pictures])
    votes = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    return Faces(images, votes, np.array(labels), np.full(len(images), "train", dtype=object))


def _to_face_size(picture: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(picture).resize((FACE_SIZE, FACE_SIZE), Image.Resampling.BOX))


def _from_npz(path: Path) -> tuple[list[np.ndarray], list[int]]:
    with np.load(path) as stored:
        kept = np.flatnonzero(~stored["near_dup"] & (stored["label"] >= 0))
        pictures, labels = pictures_of(stored), stored["label"]
        return [pictures[i] for i in kept], [_ARCHIVE[labels[i]] for i in kept]


def _from_legend(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """Pictures named in the legend that lie in ``images/``; of one named twice, the first label counts."""
    folder = path.parents[1] / "images"
    pictures, labels, seen = [], [], set()
    for row in read_rows(path, needed=("image", "emotion")):
        ours, picture = _WORDS.get(row["emotion"].lower()), folder / row["image"]
        if ours is None or row["image"] in seen or not picture.is_file():
            continue
        seen.add(row["image"])
        with Image.open(data_files.used("muxspace", picture)) as opened:
            pictures.append(np.array(opened.convert("L")))
        labels.append(EMOTIONS.index(ours))
    if not pictures:
        raise CorpusError(say("data.none_beside", corpus=NAME, names=folder, path=path, source=SOURCE))
    return pictures, labels
