"""Is alpha high where a modality moved the answer? Against Shapley values and the deletion of a modality.

Faithfulness as of attention and other explanations: does what is shown as important matter to the answer?
"""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from hff.config import MODALITIES
from hff.pipeline.shapley import shapley_values
from train.evaluation.robustness import COMMAND
from train.evaluation.subset_answers import Judged, mean_of_numbers


def shares(judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Of clips that hold every modality: Shapley values (N,M) of the answer's probability, and what removing takes."""
    top = judged.whole.argmax(1)
    rows = np.arange(len(top))
    value = {s: p[rows, top] for s, p in judged.probabilities.items()}
    value[frozenset()] = np.full(len(top), 1 / judged.whole.shape[1])
    everything = frozenset(MODALITIES)
    shapley = shapley_values(MODALITIES, lambda subset: value[subset])
    removal = [value[everything] - value[everything - {m}] for m in MODALITIES]
    return np.stack([shapley[m] for m in MODALITIES], 1), np.stack(removal, 1)


def alpha_row(judged: Judged) -> list:
    """Clips, Spearman within a clip with the Shapley value, same modality first by Shapley and by removal."""
    judged = judged.of(np.asarray(judged.present.all(1)))
    shapley, removal = shares(judged)
    within = [spearmanr(a, s).statistic for a, s in zip(judged.alpha, shapley, strict=True)]
    first = judged.alpha.argmax(1)
    alike = [first == shapley.argmax(1), first == removal.argmax(1)]
    return [len(first), *map(mean_of_numbers, (within, *alike))]


def faithfulness_table(rows: list[list]) -> dict:
    return {
        "title": "Does alpha tell the truth? What moved the answer",
        "note": "Clips in which every modality is somewhere present, under damage of the kinds named; alpha is the "
        "clip's. Mean Spearman within a clip of alpha and the Shapley value of the answer's probability; how often the "
        "modality with the largest alpha has the largest Shapley value, and how often it is the one whose removal "
        "takes most from the answer.",
        "command": COMMAND,
        "columns": ["damage", "clips", "Spearman, within a clip", "same first, Shapley", "same first, removal"],
        "rows": rows,
    }
