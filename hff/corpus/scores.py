"""How good the readings of a corpus with known labels are: accuracy, recall, confusions and calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hff.config import MODALITIES
from hff.corpus.growing_table import TableRow
from hff.pipeline.shapley import subsets

CONFIDENCE_BINS = 15  # of confidence, as in Guo et al. 2017


@dataclass
class Score:
    """Of one subset of the modalities, over the clips in which all of it was there."""

    labels: tuple[str, ...]
    confusion: np.ndarray = field(init=False)  # (C,C) clips, true label by answer
    bins: np.ndarray = field(init=False)  # (3,CONFIDENCE_BINS) clips, their confidence and their right answers

    def __post_init__(self) -> None:
        self.confusion = np.zeros((len(self.labels), len(self.labels)), int)
        self.bins = np.zeros((3, CONFIDENCE_BINS))

    def add(self, label: str, said: str, sure: float) -> None:
        self.confusion[self.labels.index(label), self.labels.index(said)] += 1
        self.bins[:, min(int(sure * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)] += (1, sure, label == said)

    @property
    def clips(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / self.clips)

    @property
    def mean_recall(self) -> float:
        """Unweighted over the labels that occur (UAR)."""
        occur = self.confusion.sum(1)
        return float((self.confusion.diagonal()[occur > 0] / occur[occur > 0]).mean())

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al. 2017) of the answer's probability."""
        return float(np.abs(self.bins[1] - self.bins[2]).sum() / self.clips)


def scores(rows: Iterable[TableRow], labels: Sequence[str]) -> tuple[dict[str, Score], int]:
    """Of each subset of the modalities, and of the answer as ``all``; and how many labels the model does not know.

    rows: as ``hff.corpus.growing_table.read`` gives them.
    """
    names = ["+".join(m for m in MODALITIES if m in subset) for subset in subsets(MODALITIES)[1:]]
    found = {name: Score(tuple(labels)) for name in ("all", *names)}
    unknown = 0
    for row in rows:
        label = row.get("label")
        if not label or row.get("error"):
            continue
        if label not in labels:
            unknown += 1
            continue
        answers = _answers(row, names)
        for name, (said, sure) in answers.items():
            found[name].add(label, said, sure)
        if answers:
            found["all"].add(label, *answers[max(answers, key=lambda name: name.count("+"))])
    return {name: score for name, score in found.items() if score.clips}, unknown


def _answers(row: TableRow, names: Sequence[str]) -> dict[str, tuple[str, float]]:
    """What each subset says, (emotion, probability)."""
    nested = row.get("subset_emotions")
    if nested:
        return {name: (said, float(sure)) for name, (said, sure) in nested.items()}
    return {name: (row[f"said_{name}"], float(row[f"sure_{name}"])) for name in names if row.get(f"said_{name}")}


def scores_as_text(found: dict[str, Score], unknown: int) -> str:
    """A table for the terminal, and who was taken for whom."""
    if not found:
        return "No reading has a label that the model knows."
    lines = [f"{'read from':24}{'clips':>7}{'accuracy':>10}{'UAR':>7}{'ECE':>7}"]
    lines += [
        f"{name:24}{s.clips:7}{s.accuracy:10.3f}{s.mean_recall:7.3f}{s.calibration_error:7.3f}"
        for name, s in found.items()
    ]
    labels, confusion = found["all"].labels, found["all"].confusion
    lines += ["", "of all (rows true, columns said)", " " * 12 + "".join(f"{label[:9]:>10}" for label in labels)]
    lines += [
        f"{label[:11]:12}" + "".join(f"{count:10}" for count in row)
        for label, row in zip(labels, confusion, strict=True)
        if row.sum()
    ]
    if unknown:
        lines += ["", f"{unknown} clips have a label that the model does not know; it knows {', '.join(labels)}."]
    return "\n".join(lines)
