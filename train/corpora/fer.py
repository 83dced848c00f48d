"""FER2013 with FER+ votes: 48x48 grey faces from the web (Goodfellow et al. 2013, Barsoum et al. 2016).

Layouts read: ``faces/fer2013plus.npz``, or the public ``fer2013.csv`` (Kaggle) beside ``fer2013new.csv``
(github.com/microsoft/FERPlus). Target: the vote distribution over our labels; contempt, unknown and
not-a-face have no place among them, and an image whose majority lies there is left out.
"""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from hff.locale import say
from train.corpora.base import CorpusError, Faces, find, read_rows

_VOTES = "neutral happiness surprise sadness anger disgust fear contempt unknown NF".split()
_OURS = (0, 1, 3, 4, 6, 5, 2)  # columns of the votes for neutral happy sad angry fearful disgusted surprised
NAME = "FER2013"
CONTENT = "small grey pictures of faces from the web, with the votes of FER+"
LICENCE = "research use; FER+ votes MIT"
TEST = "private test, FER+ majority label"
SOURCE = (
    "kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge (fer2013.csv) and "
    "github.com/microsoft/FERPlus (fer2013new.csv)"
)
PARTS: dict[str, str] = {
    "vision": "training faces, less one in eight",
    "fusion": "the faces held back, and the encoder's own of rare emotions",
}
_FIRST = np.array([3, 5, 4, 1, 2, 6, 0, -1])  # our label of FER2013's own 0 to 6, and of -1, which is unknown
_SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}


def load(root: Path) -> Faces:
    """Read whichever layout lies under ``root``.

    One training image in eight is the "fusion" split: the encoder never learns from it, so that the
    fusion meets features as uncertain as those of new faces. Training images with a near copy in
    another split (FER2013 repeats some) are left out. ``first`` is FER2013's own label, before FER+.
    """
    path = find(root, ["faces/fer2013plus.npz", "fer2013.csv"], NAME, SOURCE)
    images, votes, splits, near_copy, first = _from_npz(path) if path.suffix == ".npz" else _from_csv(path, root)
    ours = votes[:, _OURS].astype(np.float32)
    kept = (votes.argmax(1) < 7) & (ours.sum(1) > 0) & ~(near_copy & (splits == "train"))
    images, ours, splits, first = images[kept], ours[kept], splits[kept], first[kept]
    train = np.flatnonzero(splits == "train")
    splits[train[::8]] = "fusion"
    return Faces(images, ours / ours.sum(1, keepdims=True), ours.argmax(1), splits, first)


def no_faces(root: Path) -> np.ndarray:
    """(N,48,48) the pictures that most raters called no face at all: nothing learns from them."""
    path = find(root, ["faces/fer2013plus.npz", "fer2013.csv"], NAME, SOURCE)
    images, votes, *_ = _from_npz(path) if path.suffix == ".npz" else _from_csv(path, root)
    return images[votes.argmax(1) == _VOTES.index("NF")]


def _from_npz(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    with np.load(path) as stored:
        pictures = pictures_of(stored)
        splits = np.array(["train", "validation", "test"], dtype=object)[stored["split"]]
        first = _FIRST[stored["label"]] if "label" in stored else np.full(len(pictures), -1)
        return np.stack(pictures), stored["ferplus_votes"], splits, stored["near_dup"], first


def pictures_of(stored) -> list[np.ndarray]:
    """The grey pictures (H,W) uint8 of an archive that holds them one after another in ``webp``."""
    data, offsets = stored["webp"], stored["offsets"]
    return [np.array(Image.open(io.BytesIO(data[a:b].tobytes())).convert("L")) for a, b in itertools.pairwise(offsets)]


def _from_csv(pixels: Path, root: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    path = find(root, ["fer2013new.csv"], "FER+", SOURCE)
    faces = read_rows(pixels, needed=("pixels", "Usage"))
    votes = read_rows(path, needed=_VOTES)
    if len(faces) != len(votes):
        raise CorpusError(say("data.rows", path=pixels, rows=len(faces), other=path, others=len(votes), source=SOURCE))
    images = np.stack([np.array(row["pixels"].split(), np.uint8).reshape(48, 48) for row in faces])
    counts = np.array([[int(row[name]) for name in _VOTES] for row in votes])
    splits = np.array([_SPLITS[row["Usage"]] for row in faces], dtype=object)
    _, back, copies = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True, return_counts=True)
    first = _FIRST[[int(row.get("emotion") or -1) for row in faces]]
    return images, counts, splits, copies[back.reshape(-1)] > 1, first
