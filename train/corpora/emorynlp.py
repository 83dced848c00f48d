"""EmoryNLP: scenes of the series Friends (Zahiri & Choi 2018), whole or one utterance at a time.

The text encoder learns from the training part: Joyful, Mad, Neutral, Sad and Scared have a place among the labels;
Peaceful and Powerful have not and are left out. As dialogues it has its own seven labels. Layouts read:
``text/emorynlp_{train,dev,test}.csv``, or the public ``emorynlp_{train,dev,test}_final.csv`` (with MELD) or
``emotion-detection-{trn,dev,tst}.json`` (the authors' own).
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hff.locale import say
from train.corpora.base import CorpusError, Sentence, find, label, read_rows, target
from train.corpora.conversation import Conversation, DialogueSet, grouped

NAME = "EmoryNLP"
CONTENT = "dialogue of a television series"
LICENCE = "Apache-2.0"
SOURCE = "github.com/declare-lab/MELD (data/emorynlp) or github.com/emorynlp/emotion-detection"
PARTS: dict[str, str] = {"text": "its training part"}
PUBLISHED = {"train": 7551, "validation": 954, "test": 984}  # utterances, as in Ghosal et al. 2020, table 2
EMORY_LABELS = ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
_OURS = {"Joyful": "happy", "Mad": "angry", "Neutral": "neutral", "Sad": "sad", "Scared": "fearful"}
_FILES = {"train": ("train", "trn"), "validation": ("dev", "dev"), "test": ("test", "tst")}
_NUMBERS = {name.capitalize(): number for number, name in enumerate(EMORY_LABELS)}


@dataclass
class _Line:
    scene: str
    speaker: str
    text: str
    emotion: str


def load(root: Path) -> list[Sentence]:
    _, lines = _read(root, "train")
    return [
        Sentence(line.text, target([_OURS[line.emotion]]), "emorynlp", "train")
        for line in lines
        if line.emotion in _OURS
    ]


def dialogues(root: Path) -> DialogueSet:
    """Whole scenes in the order they were said, text alone, with the corpus' own seven labels."""
    splits = {}
    for split in _FILES:
        path, lines = _read(root, split)
        splits[split] = [
            Conversation(
                name=f"{split} {scene}",
                features={},
                labels=np.array([label(_NUMBERS, line.emotion, path) for line in said]),
                speakers=[line.speaker for line in said],
                texts=[line.text for line in said],
                ids=[f"{scene}_u{number}" for number in range(1, len(said) + 1)],
            )
            for scene, said in grouped(lines, lambda line: line.scene).items()
        ]
    return DialogueSet(NAME, EMORY_LABELS, splits, PUBLISHED)


def _read(root: Path, split: str) -> tuple[Path, list[_Line]]:
    ours, theirs = _FILES[split]
    names = [f"text/emorynlp_{ours}.csv", f"emorynlp_{ours}_final.csv", f"emotion-detection-{theirs}.json"]
    path = find(root, names, NAME, SOURCE)
    if path.suffix == ".json":
        return path, _from_json(path)
    rows = read_rows(path, needed=("Utterance", "Emotion", "Speaker", "Scene_ID", "Utterance_ID", "Season", "Episode"))
    return path, [
        _Line(_scene(row), _speaker(row["Speaker"]), row["Utterance"], row["Emotion"])
        for row in sorted(rows, key=lambda row: (_scene(row), int(row["Utterance_ID"])))
    ]


def _scene(row: dict[str, str]) -> str:
    return f"s{int(row['Season']):02}_e{int(row['Episode']):02}_c{int(row['Scene_ID']):02}"


def _speaker(cell: str) -> str:
    """``['Monica Geller', 'Ross Geller']`` -> the names with "and" between; any other words as they are."""
    try:
        names = ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        return cell
    return " and ".join(map(str, names)) if isinstance(names, list) else cell


def _from_json(path: Path) -> list[_Line]:
    try:
        episodes = json.loads(path.read_text(encoding="utf-8"))["episodes"]
        scenes = [scene for episode in episodes for scene in episode["scenes"]]
        return [
            _Line(
                scene.get("scene_id", f"scene {number}"),
                " and ".join(said.get("speakers", [])),
                said["transcript"],
                said["emotion"],
            )
            for number, scene in enumerate(scenes)
            for said in scene["utterances"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(say("data.other_file", path=path, corpus=NAME, error=repr(error), source=SOURCE)) from error
