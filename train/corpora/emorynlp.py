"""EmoryNLP: lines of the series Friends (Zahiri & Choi 2018); training part only.

Joyful, Mad, Neutral, Sad and Scared have a place among the labels; Peaceful and Powerful have not and are
left out. Layouts read: ``text/emorynlp_train.csv``, or the public ``emorynlp_train_final.csv`` (with MELD) or
``emotion-detection-trn.json`` (the authors' own).
"""

from __future__ import annotations

import json
from pathlib import Path

from train.corpora.base import CorpusError, Sentence, find, read_rows, target

NAME = "EmoryNLP"
CONTENT = "dialogue of a television series"
LICENCE = "Apache-2.0"
SOURCE = "github.com/declare-lab/MELD (data/emorynlp) or github.com/emorynlp/emotion-detection"
PARTS: dict[str, str] = {"text": "its training part"}
_OURS = {"Joyful": "happy", "Mad": "angry", "Neutral": "neutral", "Sad": "sad", "Scared": "fearful"}


def load(root: Path) -> list[Sentence]:
    names = ["text/emorynlp_train.csv", "emorynlp_train_final.csv", "emotion-detection-trn.json"]
    path = find(root, names, NAME, SOURCE)
    if path.suffix == ".json":
        lines = _from_json(path)
    else:
        lines = [(row["Utterance"], row["Emotion"]) for row in read_rows(path, needed=("Utterance", "Emotion"))]
    return [
        Sentence(text, target([_OURS[emotion]]), "emorynlp", "train") for text, emotion in lines if emotion in _OURS
    ]


def _from_json(path: Path) -> list[tuple[str, str]]:
    try:
        episodes = json.loads(path.read_text(encoding="utf-8"))["episodes"]
        said = [line for episode in episodes for scene in episode["scenes"] for line in scene["utterances"]]
        return [(line["transcript"], line["emotion"]) for line in said]
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path} is not EmoryNLP's file ({error!r}). See {SOURCE}.") from error
