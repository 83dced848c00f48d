"""EmoDB: German actors, ten sentences (Burkhardt et al. 2005), all for training the encoder.

Layouts read: ``speech/emodb_full4_16k.tar`` (the four classes found whole), or the public ``wav/`` folder.
Boredom has no place among the seven. The cut two-second set is never mixed in: its length and level
would give the class away.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora import voices
from train.corpora.base import Utterance, find

NAME = "EmoDB"
CONTENT = "acted German speech"
LICENCE = "CC0 / free"
SOURCE = "emodb.bilderbar.info (download.zip)"
PARTS: dict[str, str] = {"speech": "four classes, all of it", "whisper": "four classes, all of it"}
_OURS = {"N": 0, "F": 1, "T": 2, "W": 3, "A": 4, "E": 5}
_HELD_BACK = ("15", "16")  # speakers kept for later checks


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/emodb_full4_16k.tar", "wav/03a01Fa.wav"], "EmoDB", SOURCE)
    return [
        Utterance(name, wave, _OURS[name[5]], f"emodb{name[:2]}", "emodb", "train")
        for name, wave in voices.read(path, 0, "*.wav", "EmoDB")
        if name[5] in _OURS and name[:2] not in _HELD_BACK
    ]
