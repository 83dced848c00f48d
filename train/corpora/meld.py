"""MELD: lines of the series Friends, one utterance at a time (Poria et al. 2019).

Layouts read: ``text/meld_{train,dev,test}.csv``, or the public ``{train,dev,test}_sent_emo.csv``.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora.base import EKMAN, Sentence, find, hold_out, label, read_rows, target

NAME = "MELD"
CONTENT = "dialogue of a television series"
TEST = "test, one utterance"
LICENCE = "GPL-3.0"
SOURCE = "github.com/declare-lab/MELD (data/MELD/*_sent_emo.csv)"
PARTS: dict[str, str] = {"text": "five sixths of its training part", "fusion": "the other sixth"}
# The public files hold Windows-1252 punctuation read as control characters.
_PUNCTUATION = str.maketrans(
    {"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x85": "...", "\x97": " - ", "’": "'"}
)


def load(root: Path) -> list[Sentence]:
    sentences = []
    for name, split in (("train", "train"), ("dev", "validation"), ("test", "test")):
        path = find(root, [f"text/meld_{name}.csv", f"{name}_sent_emo.csv"], NAME, SOURCE)
        sentences += [
            Sentence(
                row["Utterance"].translate(_PUNCTUATION), target([label(EKMAN, row["Emotion"], path)]), "meld", split
            )
            for row in read_rows(path, needed=("Utterance", "Emotion"))
        ]
    return hold_out(sentences)
