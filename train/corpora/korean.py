"""The emotional part of Korea's emotion TTS corpus: lines of dialogue by voice actors, four acted emotions.

Layouts read: ``speech/korean_emotiontts_16k.tar`` (Opus), or a folder ``emotiontts`` of the public sample's wav files,
whose names are SPEAKER (three letters) and NUMBER: a hundred lines of each emotion in turn. Two speakers are for
the fusion, two validate, the others train the encoders.
"""

from __future__ import annotations

from pathlib import Path

from hff.config import EMOTIONS
from hff.locale import say
from train.corpora import voices
from train.corpora.base import CorpusError, Utterance, find

NAME = "emotiontts"
CONTENT = "acted Korean lines of dialogue"
LICENCE = "CC BY-NC-SA (as the repository's readme shows); research only"
SOURCE = "github.com/emotiontts/emotiontts_open_db"
PARTS: dict[str, str] = {"whisper": "nine speakers", "fusion": "two speakers"}
_IN_TURN = ("neutral", "happy", "angry", "sad")
_PER_EMOTION = 100
SPLIT = dict.fromkeys(("emh", "nel"), "fusion") | dict.fromkeys(("emg", "neo"), "validation")


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/korean_emotiontts_16k.tar", "emotiontts/*.wav"], NAME, SOURCE)
    utterances = []
    for name, wave in voices.read(path, 0, "*.wav", NAME):
        speaker, number = name[:3], name[3:]
        if not number.isdigit() or not 0 < int(number) <= _PER_EMOTION * len(_IN_TURN):
            form = f"abc00001 ... abc{_PER_EMOTION * len(_IN_TURN):05}"
            raise CorpusError(say("data.name", where=path, name=name, form=form, source=SOURCE))
        emotion = EMOTIONS.index(_IN_TURN[(int(number) - 1) // _PER_EMOTION])
        split = SPLIT.get(speaker, "train")
        utterances.append(Utterance(name, wave, emotion, f"korean-{speaker}", "korean", split))
    return utterances
