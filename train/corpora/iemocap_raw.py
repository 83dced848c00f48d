"""IEMOCAP as its authors give it: sound, words and pictures of every utterance (Busso et al. 2008).

Layout read, under ``IEMOCAP_full_release`` or any other folder: ``Session1`` to ``Session5``, each with

    dialog/EmoEvaluation/DIALOGUE.txt     [start - end] utterance emotion [valence, activation, dominance]
    dialog/transcriptions/DIALOGUE.txt    utterance [start-end]: words
    sentences/wav/DIALOGUE/UTTERANCE.wav
    dialog/avi/DivX/DIALOGUE.avi          two people in one picture, who wears the markers in its left half

Who wears the markers stands in the dialogue's name (Ses01F: the woman), who speaks in the utterance's. Utterances with
another than the six emotions are there as what others answer to, without a label. Test: session 5.
"""

from __future__ import annotations

import re
from pathlib import Path

from hff.locale import say
from train.corpora.base import CorpusError, find
from train.corpora.conversation import UNLABELLED, RawDialogues, RawUtterance
from train.corpora.iemocap import NAME, PUBLISHED, SIX_LABELS, SOURCE, held_out

SESSIONS = range(1, 6)
TEST_SESSION = 5
_EMOTIONS = {"hap": "happy", "sad": "sad", "neu": "neutral", "ang": "angry", "exc": "excited", "fru": "frustrated"}
_EVALUATION = re.compile(r"^\[(\d+\.?\d*) - (\d+\.?\d*)\]\t(Ses\w+)\t(\w+)\t\[")
_SAID = re.compile(r"^(Ses\w+) \[[\d.]+-[\d.]+\]:\s*(.*)$")


def raw(root: Path) -> RawDialogues:
    """All utterances under ``root``, and where their sound and pictures lie; ``CorpusError`` names what is missing."""
    by_dialogue: dict[str, list[RawUtterance]] = {}
    for session in SESSIONS:
        first = find(root, [f"**/Session{session}/dialog/EmoEvaluation/Ses*.txt"], NAME, SOURCE)
        for path in sorted(first.parent.glob("Ses*.txt")):
            by_dialogue[path.stem] = _dialogue(path)
    test = {name for name in by_dialogue if name.startswith(f"Ses{TEST_SESSION:02}")}
    training, validation = held_out(sorted(set(by_dialogue) - test))
    names = {"train": training, "validation": validation, "test": sorted(test)}
    splits = {split: [by_dialogue[name] for name in several] for split, several in names.items()}
    return RawDialogues(f"{NAME} raw", SIX_LABELS, splits, PUBLISHED)


def _dialogue(evaluation: Path) -> list[RawUtterance]:
    """One dialogue, in the order that its utterances begin."""
    session, dialogue = evaluation.parents[2], evaluation.stem
    words = _words(session / "dialog" / "transcriptions" / evaluation.name)
    video = session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi"
    said = []
    for line in evaluation.read_text(encoding="utf-8", errors="replace").splitlines():
        if not (found := _EVALUATION.match(line)):
            continue
        start, end, name, emotion = found.groups()
        sound = session / "sentences" / "wav" / dialogue / f"{name}.wav"
        if not sound.is_file():
            raise CorpusError(say("data.missing", corpus=NAME, path=sound, source=SOURCE))
        if name not in words:
            raise CorpusError(say("data.no_words", path=evaluation, name=name, dialogue=dialogue))
        speaker = name.rpartition("_")[2][0]
        label = SIX_LABELS.index(_EMOTIONS[emotion]) if emotion in _EMOTIONS else UNLABELLED
        said.append(
            RawUtterance(
                name=name,
                dialogue=dialogue,
                speaker=speaker,
                label=label,
                text=words[name],
                sound=sound,
                video=video if video.is_file() else None,
                start=float(start),
                end=float(end),
                half="left" if speaker == dialogue[5] else "right",
            )
        )
    if not said:
        raise CorpusError(say("data.no_utterance", where=evaluation, source=SOURCE))
    return sorted(said, key=lambda one: one.start)


def _words(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise CorpusError(say("data.not_opened", path=path, error=error.strerror, source=SOURCE)) from error
    return {found[1]: found[2].strip() for line in lines if (found := _SAID.match(line))}
