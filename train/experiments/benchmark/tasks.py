"""What is asked of every utterance: its emotion, or its sentiment; and the figures that an answer is measured by."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from train.corpora.conversation import DialogueSet, all_labels

STRONGEST = 3  # sentiment, of either sign


class Emotions:
    """One of several classes."""

    headline = "weighted F1"

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Numbers (N,), -1 for no label -> one-hot (N,C), zeros for no label."""
        return (labels[:, None] == np.arange(len(self.names))).astype(np.float32)

    def classes(self, labels: np.ndarray) -> np.ndarray:
        """(N,) the class that is right, -1 where none is."""
        return labels

    def said(self, probabilities: np.ndarray) -> np.ndarray:
        """(N,C) -> the class of each answer (N,)."""
        return probabilities.argmax(1)

    def figures(self, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
        """Accuracy, weighted F1, and the F1 of each class, over the utterances that have a label."""
        scored = labels >= 0
        truth, said = labels[scored], self.said(probabilities[scored])
        every = f1_score(truth, said, labels=range(len(self.names)), average=None, zero_division=0)
        return {
            "accuracy": float(accuracy_score(truth, said)),
            "weighted F1": float(f1_score(truth, said, average="weighted", zero_division=0)),
        } | {f"F1 {name}": float(value) for name, value in zip(self.names, every, strict=True)}


class Grades:
    """Sentiment as classes: the two signs, or whole grades between which a label is shared.

    The sentiment of a distribution over them is its mean: one softmax gives the sign, its strength and an error.
    """

    headline = "accuracy"

    def __init__(self, labels: np.ndarray) -> None:
        values = np.unique(labels)
        self.graded = len(values) > 2
        self.values = np.arange(np.floor(values[0]), np.ceil(values[-1]) + 1) if self.graded else values
        if len(self.values) < 2:
            self.values = np.array([values[0], values[0] + 1])
        self.names = tuple(f"{value:g}" for value in self.values)

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Labels (N,) -> distributions (N,C) whose mean is the label, over the two grades next to it."""
        position = np.interp(labels, self.values, np.arange(len(self.values)))
        return np.clip(1 - np.abs(position[:, None] - np.arange(len(self.values))), 0, 1).astype(np.float32)

    def sentiment(self, probabilities: np.ndarray) -> np.ndarray:
        """Distributions (N,C) -> their means (N,)."""
        return probabilities @ self.values

    def classes(self, labels: np.ndarray) -> np.ndarray:
        """(N,) 1 for positive, 0 for negative, -1 for neither."""
        return np.where(labels == 0, -1, labels > 0)

    def said(self, probabilities: np.ndarray) -> np.ndarray:
        """(N,C) -> 1 for positive, 0 for what is not: (N,)."""
        return (self.sentiment(probabilities) > 0).astype(int)

    def figures(self, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
        """Those of ``sentiment_scores``."""
        return sentiment_scores(labels, self.sentiment(probabilities), self.graded)


def sentiment_scores(truth: np.ndarray, reading: np.ndarray, graded: bool) -> dict[str, float]:
    """Accuracy (ACC-2) and weighted F1 of the sign, neutral utterances (label 0) left out as in MMSA's "Non0".

    For graded labels also the two with zero, where 0 counts as positive (MMSA's "Has0", negative against not
    negative); ACC-7, of whole grades; the mean absolute error; and Pearson's correlation. These are of all utterances.
    """
    signed = truth != 0
    figures = _of_signs(truth[signed] > 0, reading[signed] > 0, "")
    if graded:
        figures |= _of_signs(truth >= 0, reading >= 0, " with zero")
        whole = [np.round(np.clip(x, -STRONGEST, STRONGEST)) for x in (truth, reading)]
        figures["ACC-7"] = float((whole[0] == whole[1]).mean())
        varies = truth.std() > 0 and reading.std() > 0
        figures["MAE"] = float(np.abs(truth - reading).mean())
        figures["correlation"] = float(np.corrcoef(truth, reading)[0, 1]) if varies else 0.0
    return figures


def _of_signs(truth: np.ndarray, said: np.ndarray, suffix: str) -> dict[str, float]:
    return {
        f"accuracy{suffix}": float((truth == said).mean()),
        f"weighted F1{suffix}": float(f1_score(truth, said, average="weighted")),
    }


def task_of(data: DialogueSet) -> Emotions | Grades:
    """Classes where the set names some, else sentiment as its training and validation parts have it."""
    if data.labels:
        return Emotions(data.labels)
    return Grades(all_labels([*data.splits["train"], *data.splits["validation"]]))
