"""ASED: 65 volunteers who speak Amharic, five acted emotions (Retta et al. 2022). For validation only.

No stage may learn from it: it tells how voices do that come from nowhere near the training. Layouts read:
``speech/ased_16k.tar`` (Opus), or the public folders of wav files, a folder an emotion, whose names are
EMOTION-SENTENCE-REPETITION-TAKE-SPEAKER. Some numbers of speakers are those of a woman and a man: the table beside the
archive tells them apart. The classes' clips differ in length: never use the length as a feature.
"""

from __future__ import annotations

from pathlib import Path

from hff.config import EMOTIONS
from train.corpora import voices
from train.corpora.base import Utterance, find, label, read_rows
from train.engine import data_files

NAME = "ASED"
CONTENT = "acted Amharic speech"
LICENCE = "no licence file; published for research (ACM TALLIP 2022)"
SOURCE = "github.com/Ethio2021/ASED_V1"
PARTS: dict[str, str] = {}
_OURS = {"n": "neutral", "h": "happy", "s": "sad", "a": "angry", "f": "fearful"}


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/ased_16k.tar", "ASED*/**/a5-*.wav"], NAME, SOURCE)
    table, people = path.with_suffix(".csv"), {}
    if path.suffix == ".tar" and table.exists():
        rows = read_rows(data_files.used("ASED", table), needed=("file", "speaker"))
        people = {Path(row["file"]).stem: row["speaker"] for row in rows}
    utterances = []
    for name, wave in voices.read(path, 1, "**/??-??-??-??-*.wav", NAME):
        emotion = EMOTIONS.index(label(_OURS, name[0], path))
        speaker = people.get(name, name.split("-")[-1])
        utterances.append(Utterance(name, wave, emotion, f"ased{speaker}", "ased", "validation"))
    return utterances
