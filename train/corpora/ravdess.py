"""RAVDESS speech: 24 actors, two fixed sentences, eight acted emotions (Livingstone & Russo 2018).

Layouts read: ``speech/ravdess_speech_16k.tar`` (FLAC), or the public ``Actor_XX/*.wav`` folders. "Calm" is
left out: it is not among the seven labels. Actors 02-14 train the encoder, 15-17 the fusion, 18-19
validate, 01 and 20-22 test; 23 and 24 are not used.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora import voices
from train.corpora.base import CorpusError, Utterance, find

NAME = "RAVDESS"
CONTENT = "acted English speech, and clips of face and voice"
LICENCE = "CC BY-NC-SA 4.0"
SOURCE = "zenodo.org/record/1188976 (Audio_Speech_Actors_01-24.zip)"
PARTS: dict[str, str] = {
    "speech": "actors 02-14",
    "whisper": "actors 02-14",
    "fusion": "actors 15-17, and three voices in ten of the encoder's own",
}
SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
EMOTION_OF = {"01": 0, "03": 1, "04": 2, "05": 3, "06": 4, "07": 5, "08": 6}
SPLIT = (
    dict.fromkeys(range(2, 15), "train")
    | dict.fromkeys(range(15, 18), "fusion")
    | dict.fromkeys((18, 19), "validation")
    | dict.fromkeys((1, 20, 21, 22), "test")
)


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/ravdess_speech_16k.tar", "Actor_*/03-01-*.wav"], "RAVDESS", SOURCE)
    utterances = []
    for name, wave in voices.read(path, 1, "Actor_*/03-01-*.wav", "RAVDESS"):
        emotion, actor = name.split("-")[2], int(name.split("-")[6])
        if emotion in EMOTION_OF and actor in SPLIT:
            utterances.append(Utterance(name, wave, EMOTION_OF[emotion], f"ravdess{actor:02}", "ravdess", SPLIT[actor]))
    for split in dict.fromkeys(SPLIT.values()):
        actors = [actor for actor, own in SPLIT.items() if own == split]
        if not any(u.split == split for u in utterances):
            folders = ", ".join(f"Actor_{actor:02}" for actor in actors)
            raise CorpusError(f"RAVDESS: no recording of {folders} (for {split}) beside {path}. See {SOURCE}.")
    return utterances


def sentence(name: str) -> str:
    """The words spoken in the file of that name."""
    return SENTENCES[name.split("-")[4]]
