"""ISEAR: self-reports of emotional events (Scherer & Wallbott 1994), all for training.

Shame and guilt have no place among the labels and are left out. Layouts read: ``text/isear.csv`` (columns emotion,
text), or the databank's own table as ``isear.csv``, its columns (``Field1`` the emotion, ``SIT`` the text) parted by
``|``.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora.base import Sentence, find, read_rows, target

NAME = "ISEAR"
CONTENT = "people's reports of what they felt when"
LICENCE = "CC BY-NC-SA 3.0"
SOURCE = "unige.ch/cisa (ISEAR databank)"
PARTS: dict[str, str] = {"text": "all of it"}
_OURS = {"joy": "happy", "fear": "fearful", "anger": "angry", "sadness": "sad", "disgust": "disgusted"}


def load(root: Path) -> list[Sentence]:
    path = find(root, ["text/isear.csv", "isear.csv"], NAME, SOURCE)
    with path.open(encoding="utf-8", errors="replace") as file:
        databank = "|" in file.readline()
    if databank:
        rows = [(row["Field1"], _plain(row["SIT"])) for row in read_rows(path, "|", needed=("Field1", "SIT"))]
    else:
        rows = [(row["emotion"], row["text"]) for row in read_rows(path, needed=("emotion", "text"))]
    return [Sentence(text, target([_OURS[emotion]]), "isear", "train") for emotion, text in rows if emotion in _OURS]


def _plain(text: str) -> str:
    """Without the line breaks that the databank shows as "á", and the brackets around retold events."""
    return " ".join(text.replace(" á", " ").replace("\n", " ").split()).strip("[] ")
