"""dair-ai emotion: English tweets (Saravia et al. 2018), training part only.

Love is read as happiness, as GoEmotions' own grouping does. Layouts read: ``text/dairai_emotion_train.csv``
(columns text, emotion), or the public ``train.jsonl`` (``text``, ``label`` a number), also as ``train.jsonl.gz``.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from hff.locale import say
from train.corpora.base import CorpusError, Sentence, find, label, read_rows, target

NAME = "dair-ai"
CONTENT = "tweets"
LICENCE = "research use"
SOURCE = "huggingface.co/datasets/dair-ai/emotion"
HUB = "dair-ai/emotion"
PARTS: dict[str, str] = {"text": "its training part"}
STRIDE = 2  # every second tweet: they are of one kind ("i feel ..."), and would outweigh MELD
_OURS = {
    "joy": "happy",
    "love": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "surprise": "surprised",
}
_NUMBERS = "sadness joy love anger fear surprise".split()


def load(root: Path) -> list[Sentence]:
    names = ["text/dairai_emotion_train.csv", "emotion/**/train.jsonl", "emotion/**/train.jsonl.gz"]
    path = find(root, names, "dair-ai emotion", SOURCE)
    if path.suffix == ".csv":
        tweets = [(row["text"], row["emotion"]) for row in read_rows(path, needed=("text", "emotion"))]
    else:
        tweets = _from_json_lines(path)
    return [Sentence(text, target([label(_OURS, name, path)]), "dairai", "train") for text, name in tweets[::STRIDE]]


def _from_json_lines(path: Path) -> list[tuple[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file if line.strip()]
        return [(row["text"], _NUMBERS[row["label"]]) for row in rows]
    except (ValueError, KeyError, TypeError, IndexError, OSError, EOFError) as error:
        raise CorpusError(say("data.other_file", path=path, corpus=NAME, error=repr(error), source=SOURCE)) from error
