"""Voices that come from nowhere near the training: each corpus in turn left out of it, and one that never is in it.

``python -m train left-out-voices --data DIR --out DIR`` , from what the stage ``whisper`` has kept in ``OUT/whisper``.
A corpus is not only its speakers but a language, rooms, microphones and a way of acting, so speakers that were held
back tell too little of how a class of pupils will fare. A network is trained without each corpus; the layers stay
Whisper's own. All emotions may be guessed, also those that the corpus lacks.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hff.config import EMOTIONS
from hff.weights import MEASURED_FILE
from train.corpora import ALL
from train.corpora.base import Utterance
from train.encoders import speech_whisper
from train.encoders.speech_whisper import VoiceMaterial
from train.engine.loop import Plan
from train.evaluation import tables

COMMAND = "python -m train left-out-voices --data DIR --out DIR"
COLUMNS = ["left out", "recordings", "emotions", "accuracy", "unweighted recall", "among its own", *EMOTIONS]
CORPUS_NAMES = {module.__name__.rpartition(".")[2]: name for name, module in ALL.items()}  # by ``Utterance.corpus``
PLAN = dataclasses.replace(speech_whisper.PLAN, epochs=10, patience=10)


def measures(probabilities: Tensor, utterances: list[Utterance]) -> dict[str, float]:
    """Accuracy and unweighted recall with every emotion to choose from, among the corpus' own, and of each."""
    labels = torch.tensor([u.label for u in utterances])
    own = sorted(set(labels.tolist()))
    guess = probabilities.argmax(1)
    among = torch.tensor(own)[probabilities[:, own].argmax(1)]
    each = {EMOTIONS[label]: float((guess[labels == label] == label).float().mean()) for label in own}
    return {
        "accuracy": float((guess == labels).float().mean()),
        "recall": float(np.mean(list(each.values()))),
        "among": float(np.mean([float((among[labels == label] == label).float().mean()) for label in own])),
    } | each


def left_out_figures(
    material: VoiceMaterial, folder: Path, device: torch.device, plan: Plan = PLAN
) -> dict[str, dict[str, float]]:
    """By corpus: the measures of a network that has not met it."""
    found = {}
    for corpus in dict.fromkeys(u.corpus for u in material.training + material.held):
        rest = material.without(corpus)
        model = speech_whisper.fit_network(rest, plan, folder / f"without-{corpus}", device)[0]
        utterances, heard = material.clean(corpus)
        said = speech_whisper.predict(model, heard, len(utterances))
        found[corpus] = measures(said, utterances) | {"n": len(utterances)}
    return found


def run(data: Path, out: Path, device: torch.device, plan: Plan = PLAN) -> dict:
    """The table, printed and added to those beside the weights; returns accuracies."""
    material = speech_whisper.gather(data, out, device, plan.seed)
    table = table_of(left_out_figures(material, out / "whisper", device, plan))
    print(tables.table_as_text(table), flush=True)
    tables.add_tables(out / "weights" / MEASURED_FILE, [table])
    return {row[0]: row[3] for row in table["rows"]}


def table_of(found: dict[str, dict[str, float]]) -> dict:
    rows = [
        [
            CORPUS_NAMES.get(corpus, corpus),
            int(of["n"]),
            sum(name in of for name in EMOTIONS),
            of["accuracy"],
            of["recall"],
            of["among"],
            *(of.get(name) for name in EMOTIONS),
        ]
        for corpus, of in found.items()
    ]
    return {
        "title": "Left-out voices: each corpus kept out of the second speech encoder's training",
        "note": "A network on the first layers of Whisper base that learned from, and was validated on, all corpora "
        "but that of the row (ASED is never learned from). Accuracy and recall with all emotions to guess; among "
        "its own: with only those that the corpus has. Windows that are not damaged; a recording's answer is the mean "
        "over its windows.",
        "command": COMMAND,
        "columns": COLUMNS,
        "rows": rows,
    }
