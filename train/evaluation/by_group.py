"""Where the encoders are good and where they are not: faces by emotion and by people, sentences by kind.

One figure for a whole corpus hides what a class will meet: FER+ has one disgusted face in 150.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import recall_score

from hff.config import EMOTIONS
from hff.locale import say
from hff.model.experts import LEAST_PROBABILITY
from hff.pipeline.features import Encoders
from train.corpora import fer, london, own_sentences
from train.corpora.base import CorpusError
from train.encoders import text, vision
from train.evaluation.robustness import COMMAND
from train.metrics import auroc

AGES = ((0, 24, "up to 24 years"), (25, 34, "25 to 34 years"), (35, 200, "from 35 years"))


def tables(encoders: Encoders, data: Path, device: torch.device) -> list[dict]:
    """The tables whose corpora are there: each encoder's own head, on items it has not learned from."""
    made = [faces_table(encoders, data, device)]
    try:
        made.append(portraits_table(encoders, data, device))
    except CorpusError as error:
        print(f"note: goes on without {error}", flush=True)
    return [*made, sentences_table(encoders, data, device)]


def faces_table(encoders: Encoders, data: Path, device: torch.device) -> dict:
    """Recall of each emotion among the test faces, the mean of them, and accuracy.

    Beside them the same with the share of FER+'s frequencies that the training took away (``PRIOR_SHARE`` is what it
    left): accuracy on FER+ asks for it, and rare emotions pay for it.
    """
    faces = fer.load(data)
    held = faces.splits == "test"
    truth = faces.labels[held]
    said = vision.predict(encoders.vision, faces.images[held], device)
    taken = (1 - vision.PRIOR_SHARE) * vision.log_prior(faces.votes[faces.splits == "train"]).numpy()
    guesses = [said.argmax(1), (np.log(np.maximum(said, LEAST_PROBABILITY)) + taken).argmax(1)]
    known = np.unique(truth)
    recalls = np.stack([recall_score(truth, guess, average=None, labels=known) for guess in guesses], 1)
    rows: list[list] = [
        [EMOTIONS[c], *map(float, r), int((truth == c).sum())] for c, r in zip(known, recalls, strict=True)
    ]
    return {
        "title": "The face encoder, emotion by emotion",
        "note": f"{fer.NAME} {fer.TEST}; the mean counts every emotion alike, accuracy every face. The encoder is "
        "taught to expect an emotion less for being frequent; beside it, what it would say if that were given back.",
        "command": COMMAND,
        "columns": ["emotion", "recall", "recall, expecting FER+'s frequencies", "number of items"],
        "rows": [
            *rows,
            ["mean", *map(float, recalls.mean(0)), len(truth)],
            ["accuracy", *(float((guess == truth).mean()) for guess in guesses), len(truth)],
        ],
    }


def portraits_table(encoders: Encoders, data: Path, device: torch.device) -> dict:
    """Colour portraits of people held back: how often a face is found, and how often what it shows is told."""
    held = [one for one in london.portraits(data) if one.split == "validation"]
    if not held:
        raise CorpusError(say("data.no_person", corpus=london.NAME, source=london.SOURCE))
    crops = [london.crop(one.picture) for one in held]
    found = np.array([crop is not None for crop in crops])
    guess, happy = np.full(len(held), -1), np.zeros(len(held))
    if found.any():
        said = vision.predict(encoders.vision, np.stack([crop for crop in crops if crop is not None]), device)
        guess[found], happy[found] = said.argmax(1), said[:, EMOTIONS.index("happy")]
    truth = np.array([one.label for one in held])
    smiling = truth == EMOTIONS.index("happy")
    rows = []
    for name, kept in _people(held):
        recall = [
            float((guess == truth)[kept & (truth == EMOTIONS.index(e))].mean())
            for e in london.SHOWN.values()
            if (kept & (truth == EMOTIONS.index(e))).any()
        ]
        if len(recall) == len(london.SHOWN):
            apart = auroc(smiling[kept & found], happy[kept & found])
            rows.append([name, int(kept.sum()), float(found[kept].mean()), *recall, apart])
    return {
        "title": "The face encoder on colour portraits",
        "note": "Studio portraits of people that nothing learned from, as they describe themselves; few in each group, "
        "so differences may be chance. Many smiles are so faint that the encoder calls them neutral; AUROC: how well "
        "its probability of happy tells smiling from neutral pictures.",
        "command": COMMAND,
        "columns": ["people", "pictures", "face found", *london.SHOWN, "AUROC"],
        "rows": rows,
    }


def _people(held: list[london.Portrait]) -> Iterator[tuple[str, np.ndarray]]:
    """Name of each group, and which of the portraits (N,) are of it."""
    yield "all", np.ones(len(held), bool)
    for ethnicity in sorted({one.ethnicity for one in held if one.ethnicity}):
        yield ethnicity.replace("_", " "), np.array([one.ethnicity == ethnicity for one in held])
    for low, high, name in AGES:
        yield name, np.array([low <= one.age <= high for one in held])


def sentences_table(encoders: Encoders, data: Path, device: torch.device) -> dict:
    """Accuracy on the project's own validation sentences, by kind."""
    held = [s for s in own_sentences.load(data) if s.split == "validation"]
    figures = text.scores(held, text.predict(encoders.text, [s.text for s in held], device))
    kinds = [(kind, figures[f"own_{kind}"], f"own_{kind}") for kind in own_sentences.OWN_KINDS]
    return {
        "title": "The text encoder on sentences of our own, by kind",
        "note": "Validation sentences: nothing learned from them, but the training was chosen by them.",
        "command": COMMAND,
        "columns": ["sentences", "accuracy", "number of items"],
        "rows": [[kind, accuracy, sum(s.corpus == corpus for s in held)] for kind, accuracy, corpus in kinds]
        + [["all", figures["own_accuracy"], len(held)]],
    }
