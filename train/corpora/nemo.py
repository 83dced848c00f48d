"""nEMO: nine Polish actors, ninety sentences, six acted emotions (Christop 2024); disgust is not among them.

Layouts read: ``speech/nemo_16k.tar`` (Opus), or the public ``samples/`` folder, whose names are SPEAKER_EMOTION_NUMBER.
One actor is for the fusion, two validate, the others train the encoders; two are kept for later checks.
"""

from __future__ import annotations

from pathlib import Path

from hff.config import EMOTIONS
from train.corpora import voices
from train.corpora.base import Utterance, find, label

NAME = "nEMO"
CONTENT = "acted Polish speech"
LICENCE = "CC BY-NC-SA 4.0"
SOURCE = "github.com/amu-cai/nEMO (samples/)"
HUB = "amu-cai/nEMO"
PARTS: dict[str, str] = {"whisper": "four actors", "fusion": "a fifth actor"}
_OURS = {
    "neutral": "neutral",
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "surprised": "surprised",
}
SPLIT = dict.fromkeys(("EB0", "IC0", "KS0", "SM0"), "train") | {
    "WR0": "fusion",
    "MK0": "validation",
    "MP0": "validation",
}


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/nemo_16k.tar", "samples/EB0_*.wav"], NAME, SOURCE)
    utterances = []
    for name, wave in voices.read(path, 0, "*.wav", NAME):
        speaker, emotion = name.split("_")[:2]
        if speaker in SPLIT:
            ours = EMOTIONS.index(label(_OURS, emotion, path))
            utterances.append(Utterance(name, wave, ours, f"nemo{speaker}", "nemo", SPLIT[speaker]))
    return utterances
