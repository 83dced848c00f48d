"""Face Research Lab London Set: colour studio portraits of 87 adults, each neutral and smiling (DeBruine & Jones 2017).

The pictures go through the app's own face detector and are aligned as a webcam's are, so that an encoder meets here
what it will see there. Layouts read: ``faces/london_faces400.npz``, or the public set's ``neutral_front/`` and
``smiling_front/`` (``001_03.jpg`` and so on) beside ``london_faces_info.csv``. One person in three is "validation".
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hff.config import EMOTIONS
from hff.detectors.faces import FaceDetector, align_face
from hff.locale import say
from train.corpora.base import CorpusError, Faces, find, read_rows
from train.engine import data_files

NAME = "London-Set"
CONTENT = "colour studio portraits of adults, each neutral and smiling"
LICENCE = "CC BY 4.0"
SOURCE = "doi.org/10.6084/m9.figshare.5047666"
PARTS: dict[str, str] = {"vision": "two of three people"}
VALIDATION_EVERY = 3  # person
_ARCHIVE = {6: "neutral", 3: "happy"}  # FER2013's numbers
SHOWN = {"neutral": "neutral", "smiling": "happy"}  # its words for what a face shows, and our labels
_FOLDERS = {f"{word}_front": label for word, label in SHOWN.items()}


@dataclass(frozen=True)
class Portrait:
    """One picture and what its person said of themselves."""

    picture: np.ndarray  # (H,W,3) uint8 RGB
    label: int  # index into EMOTIONS
    person: str
    age: int  # years; -1 where not told
    ethnicity: str
    split: str = "train"  # or "validation"


def portraits(root: Path) -> list[Portrait]:
    """Every picture, whether a face is found in it or not."""
    path = find(root, ["faces/london_faces400.npz", "london_faces_info.csv"], NAME, SOURCE)
    rows = _from_npz(path) if path.suffix == ".npz" else _from_folders(path)
    people = sorted({row.person for row in rows})
    held = set(people[::VALIDATION_EVERY])
    return [dataclasses.replace(row, split="validation") if row.person in held else row for row in rows]


def crop(picture: np.ndarray) -> np.ndarray | None:
    """The (48,48) uint8 grey crop of the largest face, as the app makes it; None where there is none."""
    detector = FaceDetector()
    found = detector.detect(picture) or detector.detect_odd(picture)
    return align_face(picture, found[0].landmarks) if found else None


def load(root: Path) -> Faces:
    """The faces found."""
    found = [(one, face) for one in portraits(root) if (face := crop(one.picture)) is not None]
    if not found:
        raise CorpusError(say("data.no_face", corpus=NAME, source=SOURCE))
    labels = np.array([one.label for one, _ in found])
    votes = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    splits = np.array([one.split for one, _ in found], dtype=object)
    return Faces(np.stack([face for _, face in found]), votes, labels, splits)


def _from_npz(path: Path) -> list[Portrait]:
    with np.load(path) as stored:
        columns = {name: stored[name] for name in stored.files}
    data, offsets = columns["jpeg"], columns["offsets"]
    return [
        Portrait(
            np.array(Image.open(io.BytesIO(data[offsets[n] : offsets[n + 1]].tobytes())).convert("RGB")),
            EMOTIONS.index(_ARCHIVE[int(columns["label"][n])]),
            person=str(columns["person"][n]),
            age=int(columns["age"][n]),
            ethnicity=str(columns["ethnicity"][n]),
        )
        for n in range(len(columns["label"]))
    ]


def _from_folders(path: Path) -> list[Portrait]:
    told = {row["face_id"].lstrip("X"): row for row in read_rows(path, needed=("face_id",))}
    rows = []
    for folder, emotion in _FOLDERS.items():
        for picture in sorted((path.parent / folder).glob("*.jpg")):
            person = picture.name.partition("_")[0]
            row = told.get(person, {})
            age = row.get("face_age") or ""
            with Image.open(data_files.used(NAME, picture)) as opened:
                pixels = np.array(opened.convert("RGB"))
            rows.append(
                Portrait(
                    pixels,
                    EMOTIONS.index(emotion),
                    person=person,
                    age=round(float(age)) if age.strip() else -1,
                    ethnicity=row.get("face_eth") or "",
                )
            )
    if not rows:
        raise CorpusError(say("data.none_beside", corpus=NAME, names=", ".join(_FOLDERS), path=path, source=SOURCE))
    return rows
