"""GoEmotions: Reddit comments (Demszky et al. 2020), grouped to Ekman's six and neutral.

Layouts read: ``text/goemotions_{train,dev,test}.csv``, or the public ``{train,dev,test}.tsv`` (text, label
numbers, id) of google-research/goemotions. Several labels share the target equally.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora.base import EKMAN, Sentence, find, hold_out, read_rows, target

NAME = "GoEmotions"
CONTENT = "comments from Reddit"
TEST = "test, Ekman groups"
LICENCE = "CC BY 4.0"
SOURCE = "github.com/google-research/google-research/tree/master/goemotions (data/*.tsv)"
HUB = "google-research-datasets/go_emotions"
PARTS: dict[str, str] = {"text": "five sixths of its training part", "fusion": "the other sixth"}
_FINE = (
    "admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval "
    "disgust embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief "
    "remorse sadness surprise neutral"
).split()
_MEMBERS = {
    "anger": "anger annoyance disapproval",
    "disgust": "disgust",
    "fear": "fear nervousness",
    "joy": "joy amusement approval excitement gratitude love optimism relief pride admiration desire caring",
    "sadness": "sadness disappointment embarrassment grief remorse",
    "surprise": "surprise realization confusion curiosity",
    "neutral": "neutral",
}
_GROUP = {fine: group for group, members in _MEMBERS.items() for fine in members.split()}


def load(root: Path) -> list[Sentence]:
    sentences = []
    for name, split in (("train", "train"), ("dev", "validation"), ("test", "test")):
        path = find(root, [f"text/goemotions_{name}.csv", f"{name}.tsv"], NAME, SOURCE)
        if path.suffix == ".tsv":
            rows = read_rows(path, "\t", ["text", "numbers", "id"], ("text", "numbers"))
            groups = [sorted({_GROUP[_FINE[int(n)]] for n in row["numbers"].split(",")}) for row in rows]
        else:
            rows = read_rows(path, needed=("text", "labels_ekman"))
            groups = [row["labels_ekman"].split("|") for row in rows]
        sentences += [
            Sentence(row["text"], target([EKMAN[g] for g in labels]), "goemotions", split)
            for row, labels in zip(rows, groups, strict=True)
        ]
    return hold_out(sentences)
