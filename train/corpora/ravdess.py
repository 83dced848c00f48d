"""RAVDESS speech: 24 actors, two fixed sentences, eight acted emotions (Livingstone & Russo 2018).

Layouts read: ``speech/ravdess_speech_16k.tar`` (FLAC), or the public ``Actor_XX/*.wav`` folders. "Calm" is
left out: it is not among the model's labels. Actors 23 and 24 are not used.

One test actor's clips of face and voice (``filmed``): ``av/ravdess_av_actor01.tar``, or the public
``Video_Speech_Actor_01`` folder.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hff.config import EMOTIONS
from hff.locale import say
from train.corpora import voices
from train.corpora.base import CorpusError, Utterance, find

NAME = "RAVDESS"
CONTENT = "acted English speech, and clips of face and voice"
LICENCE = "CC BY-NC-SA 4.0"
SOURCE = "zenodo.org/record/1188976 (Audio_Speech_Actors_01-24.zip)"
SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
EMOTION_OF = {code: EMOTIONS[n] for n, code in enumerate(("01", "03", "04", "05", "06", "07", "08"))}
FILMED_ACTOR = 1
SPLIT = (
    dict.fromkeys(range(2, 15), "train")
    | dict.fromkeys(range(15, 18), "fusion")
    | dict.fromkeys((18, 19), "validation")
    | dict.fromkeys((1, 20, 21, 22), "test")
)


def actors(split: str) -> list[str]:
    """The actors of a split, those with numbers in a row as one range: ["01", "20-22"]."""
    ranges: list[list[int]] = []
    for actor in sorted(actor for actor, own in SPLIT.items() if own == split):
        if ranges and ranges[-1][-1] == actor - 1:
            ranges[-1].append(actor)
        else:
            ranges.append([actor])
    return [f"{first:02}-{last:02}" if (last := own[-1]) > (first := own[0]) else f"{first:02}" for own in ranges]


TEST = f"actors {', '.join(actors('test'))}"
PARTS: dict[str, str] = {
    "speech": f"actors {', '.join(actors('train'))}",
    "whisper": f"actors {', '.join(actors('train'))}",
    "fusion": f"actors {', '.join(actors('fusion'))}, and three voices in ten of the encoder's own",
}


def load(root: Path) -> list[Utterance]:
    path = find(root, ["speech/ravdess_speech_16k.tar", "Actor_*/03-01-*.wav"], NAME, SOURCE)
    utterances = []
    for name, wave in voices.read(path, 1, "Actor_*/03-01-*.wav", NAME):
        emotion, actor = emotion_of(name), int(name.split("-")[6])
        if emotion is not None and actor in SPLIT:
            label = EMOTIONS.index(emotion)
            utterances.append(Utterance(name, wave, label, f"ravdess{actor:02}", "ravdess", SPLIT[actor]))
    for split in dict.fromkeys(SPLIT.values()):
        if not any(u.split == split for u in utterances):
            folders = ", ".join(f"Actor_{actor:02}" for actor, own in SPLIT.items() if own == split)
            raise CorpusError(say("data.none_beside", corpus=NAME, names=folders, path=path, source=SOURCE))
    return utterances


@contextmanager
def filmed(root: Path) -> Iterator[list[Path]]:
    """The clips of ``FILMED_ACTOR``'s face and voice, by name; none where they are not under ``root``."""
    archive = root / "av" / f"ravdess_av_actor{FILMED_ACTOR:02}.tar"
    with tempfile.TemporaryDirectory() as folder:
        if archive.exists():
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            paths = sorted(Path(folder).rglob("*.mp4"))
        else:
            paths = sorted(root.rglob(f"01-01-*-{FILMED_ACTOR:02}.mp4"))
        yield [path for path in paths if emotion_of(path.stem) is not None]


def emotion_of(name: str) -> str | None:
    """The label of the file of that name; None for calm."""
    return EMOTION_OF.get(name.split("-")[2])


def is_man(speaker: str) -> bool:
    """Whether a ``speaker`` is a man: RAVDESS numbers its men odd and its women even."""
    return int(speaker[-2:]) % 2 == 1


def sentence_spoken(name: str) -> str:
    """The words spoken in the file of that name."""
    return SENTENCES[name.split("-")[4]]
