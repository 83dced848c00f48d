"""Sentences written for this project: everyday speech, negations, idioms, exclamations, and pairs made by rules.

They are few beside the public corpora and of what those lack. The table lies beside this module (columns text, label,
kind, split) and belongs to the project; no idiom of its validation part stands in its training part.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hff.config import EMOTIONS
from train.corpora import sentence_rules
from train.corpora.base import Sentence, read_rows, target

NAME = "own-sentences"
CONTENT = "everyday sentences, idioms and negations written for this project, and pairs made by rules"
LICENCE = "this project's own"
SOURCE = "train/corpora/own_sentences.csv"
PARTS: dict[str, str] = {"text": "all but what validates"}
OWN_KINDS = ("everyday", "negation", "idiom", "exclamation")
_TABLE = Path(__file__).with_suffix(".csv")


def load(root: Path) -> list[Sentence]:
    """The table's sentences and the rules' pairs, wherever ``root`` is; corpus is "own_" and the kind."""
    rows = read_rows(_TABLE, needed=("text", "label", "kind", "split"))
    written = [Sentence(row["text"], target([row["label"]]), f"own_{row['kind']}", row["split"]) for row in rows]
    made = [Sentence(text, _shares(shares), "own_rules", "train") for text, shares in sentence_rules.pairs()]
    return written + made


def _shares(shares: dict[str, float]) -> np.ndarray:
    return np.array([shares.get(name, 0.0) for name in EMOTIONS], np.float32)
