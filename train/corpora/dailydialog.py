"""DailyDialog: everyday dialogues (Li et al. 2017); the validation file, used for training.

Four in five lines are labelled "no emotion"; one in six of those is kept. Layouts read:
``text/dailydialog_valid.csv`` (columns emotion, text), or the public ``dialogues_validation.txt`` beside
``dialogues_emotion_validation.txt`` (a dialogue a line; turns end in ``__eou__``, emotions are numbers).
"""

from __future__ import annotations

from pathlib import Path

from hff.locale import say
from train.corpora.base import CorpusError, Sentence, find, label, read_rows, target

NAME = "DailyDialog"
CONTENT = "written everyday dialogues"
LICENCE = "CC BY-NC-SA 4.0"
SOURCE = "yanran.li/dailydialog"
HUB = "li2017dailydialog/daily_dialog"
PARTS: dict[str, str] = {"text": "its validation file"}
NEUTRAL_STRIDE = 6
_OURS = {
    "no_emotion": "neutral",
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "disgust": "disgusted",
    "surprise": "surprised",
}
_NUMBERS = "no_emotion anger disgust fear happiness sadness surprise".split()
_TURN_END = "__eou__"


def load(root: Path) -> list[Sentence]:
    names = ["text/dailydialog_valid.csv", "dialogues_validation.txt"]
    path = find(root, names, NAME, SOURCE)
    if path.suffix == ".txt":
        lines = _from_dialogues(path, find(root, ["dialogues_emotion_validation.txt"], NAME, SOURCE))
    else:
        lines = [(row["text"], row["emotion"]) for row in read_rows(path, needed=("text", "emotion"))]
    neutral = [line for line in lines if line[1] == "no_emotion"]
    kept = neutral[::NEUTRAL_STRIDE] + [line for line in lines if line[1] != "no_emotion"]
    return [Sentence(text, target([label(_OURS, name, path)]), "dailydialog", "train") for text, name in kept]


def _from_dialogues(texts: Path, emotions: Path) -> list[tuple[str, str]]:
    lines = []
    dialogues = texts.read_text(encoding="utf-8").splitlines()
    numbers = emotions.read_text(encoding="utf-8").splitlines()
    for number, pair in enumerate(zip(dialogues, numbers, strict=False), 1):
        turns, labels = pair[0].split(_TURN_END)[:-1], pair[1].split()
        if len(turns) != len(labels) or len(dialogues) != len(numbers):
            raise CorpusError(say("data.part_at_line", path=texts, other=emotions, line=number))
        lines += [(turn.strip(), _NUMBERS[int(n)]) for turn, n in zip(turns, labels, strict=True)]
    return lines
