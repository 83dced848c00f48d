"""MUStARD++: lines of comedy series, with what was said and what was meant (Ray et al. 2022).

Only the last line of each scene is labelled: with an emotion as the words have it (explicit) and as it was felt
(implicit); where they differ, words and feeling are in conflict. Excitement is read as happiness and
frustration as anger; ridicule has no place among the labels and is left out. Layouts read: ``text/mustardpp.csv``,
or the public ``mustard++_text.csv``. No stage learns from it yet; all is for training.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora.base import Sentence, find, label, read_rows, target

NAME = "MUStARD++"
CONTENT = "lines of comedy series, what was said and what was meant"
LICENCE = "research use (LREC 2022), no licence file"
SOURCE = "github.com/cfiltnlp/MUStARD_Plus_Plus (mustard++_text.csv)"
PARTS: dict[str, str] = {}
_OURS = {
    "Neutral": "neutral",
    "Happiness": "happy",
    "Excitement": "happy",
    "Sadness": "sad",
    "Anger": "angry",
    "Frustration": "angry",
    "Fear": "fearful",
    "Disgust": "disgusted",
    "Surprise": "surprised",
    "Ridicule": None,
}


def load(root: Path) -> list[Sentence]:
    """Labelled lines, with the emotion of their words."""
    return [said for said, _ in _lines(root) if said is not None]


def conflicting_lines(root: Path) -> list[tuple[Sentence, Sentence]]:
    """The lines whose words say another emotion than was felt: as said, and as meant."""
    return [(said, meant) for said, meant in _lines(root) if said and meant and said.label != meant.label]


def _lines(root: Path) -> list[tuple[Sentence | None, Sentence | None]]:
    path = find(root, ["text/mustardpp.csv", "mustard++_text.csv"], NAME, SOURCE)
    rows = read_rows(path, needed=("SENTENCE", "Explicit_Emotion", "Implicit_Emotion"))
    return [
        (_sentence(row, "Explicit_Emotion", path), _sentence(row, "Implicit_Emotion", path))
        for row in rows
        if row["Explicit_Emotion"] and row["Implicit_Emotion"]
    ]


def _sentence(row: dict[str, str], column: str, path: Path) -> Sentence | None:
    ours = label(_OURS, row[column], path)
    return Sentence(" ".join(row["SENTENCE"].split()), target([ours]), "mustard", "train") if ours else None
