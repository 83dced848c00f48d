"""EmoDB: German actors, ten sentences (Burkhardt et al. 2005), all for training the encoder.

Layouts read: ``speech/emodb_full4_16k.tar`` (the four classes found whole) and, where it is there, for two speakers
``speech/emodb_full7_sp03_09_16k.tar`` (all classes, in Opus) in its place; or the public ``wav/`` folder.
Boredom has no place among the labels. The cut two-second set is never mixed in: its length and level
would give the class away.
"""

from __future__ import annotations

from pathlib import Path

from train.corpora import voices
from train.corpora.base import Utterance, find
from train.engine import data_files

NAME = "EmoDB"
CONTENT = "acted German speech"
LICENCE = "CC0 / free"
SOURCE = "emodb.bilderbar.info (download.zip)"
PARTS: dict[str, str] = {"speech": "four classes, all of it", "whisper": "four classes, six of two speakers"}
_OURS = {"N": 0, "F": 1, "T": 2, "W": 3, "A": 4, "E": 5}
_MORE = "emodb_full7_sp03_09_16k.tar"
_HELD_BACK = ("15", "16")  # speakers kept for later checks


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/emodb_full4_16k.tar", "wav/03a01Fa.wav"], NAME, SOURCE)
    recordings = list(voices.read(path, 0, "*.wav", NAME))
    more = path.parent / _MORE
    if path.suffix == ".tar" and more.exists():
        # In place of, not beside: were only the added classes in Opus, the codec would give them away.
        added = list(voices.read(data_files.used(NAME, more), 0, "*.wav", NAME))
        speakers = {name[:2] for name, _ in added}
        recordings = [(name, wave) for name, wave in recordings if name[:2] not in speakers] + added
    return [
        Utterance(name, wave, _OURS[name[5]], f"emodb{name[:2]}", "emodb", "train")
        for name, wave in recordings
        if name[5] in _OURS and name[:2] not in _HELD_BACK
    ]
