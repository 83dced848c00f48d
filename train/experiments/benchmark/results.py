"""What a benchmark found: every model's readings of a part of the data, measured, compared, as a table of the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.corpora import ALL
from train.corpora.conversation import FOLDS, Conversation, all_labels
from train.evaluation import tables
from train.evaluation.intervals import CONFIDENCE, Difference, Measure, accuracy, confusions, paired, weighted_f1
from train.experiments.benchmark.bench_data import BenchData
from train.experiments.benchmark.jobs import Bench
from train.experiments.benchmark.tasks import Emotions, Grades
from train.experiments.benchmark.tuning import Tuned
from train.experiments.settings import search_note

CROSS_VALIDATION = "cross-validation"
TEXT_NOTES = {
    "given": "Words: the features of the data itself.",
    "bert": "Words: our BERT's, which has not met these labels.",
    "both": "Words: the features of the data itself beside our BERT's.",
    "tuned": "Words: an encoder that reads whole dialogues and learns along.",
    "left out": "Words are left out.",
}
NUMBERS = ("MAE", "correlation")  # figures that are no shares
HEADLINES: dict[str, Measure] = {"accuracy": accuracy, "weighted F1": weighted_f1}


@dataclass
class Found:
    """What each model says of one part of the data: a reading (N,C) for each seed."""

    part: str
    held: Sequence[Conversation]
    readings: dict[str, list[np.ndarray]]
    tuned: list[dict[str, Tuned]]  # by model, for each training set
    costs: dict[str, dict[str, float]]  # by model

    def figures(self, task: Emotions | Grades) -> dict[str, list[dict[str, float]]]:
        """For each model the scores of each seed, and those of the seeds' mean reading."""
        labels, rows = all_labels(self.held), {}
        for model, readings in self.readings.items():
            rows[model] = [task.figures(labels, reading) for reading in readings]
            if len(readings) > 1:
                rows[f"{model}, seeds together"] = [task.figures(labels, np.mean(readings, axis=0))]
        return rows

    def differences(self, task: Emotions | Grades) -> dict[str, Difference]:
        """HFF's headline figure over that of each other model, paired over seeds and whole dialogues."""
        truth = task.classes(all_labels(self.held))
        scored = truth >= 0
        groups = np.repeat(np.arange(len(self.held)), [len(one) for one in self.held])[scored]
        classes = max(len(task.names), 2) if isinstance(task, Emotions) else 2

        def matrices(readings: list[np.ndarray]) -> np.ndarray:
            said = np.stack([task.said(reading)[scored] for reading in readings])
            return confusions(said, truth[scored].astype(int), classes, groups)

        by_model = {model: matrices(readings) for model, readings in self.readings.items()}
        measure = HEADLINES[task.headline]
        return {
            model: paired([by_model["HFF"]], [theirs], measure)
            for model, theirs in by_model.items()
            if model != "HFF" and "HFF" in by_model
        }


def cell(key: str, values: Sequence[float]) -> str:
    """Mean and deviation of a figure, shares in percent."""
    scale = 1 if key in NUMBERS else 100
    spread = f" ± {scale * np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
    return f"{scale * np.mean(values):.2f}{spread}"


def card_table(bench: Bench, found: Found, differences: dict[str, Difference], command: str) -> dict:
    """What is reported, for the card."""
    task, rows = bench.task, []
    for model in found.readings:
        scores, cost = found.figures(task)[model], found.costs[model]
        figures = [tables.mean_and_deviation([row[key] for row in scores]) for key in scores[0]]
        over = differences.get(model)
        rows.append(
            [
                model,
                round(cost["parameters"]),
                round(cost["bytes"] / 1e6, 1),
                round(cost["seconds"], 2),
                *figures,
                None if over is None else str(over),
            ]
        )
    keys = list(next(iter(found.figures(task).values()))[0])
    return {
        "title": f"{bench.data.dialogues.name}: HFF and its rivals, {found.part}",
        "note": _note(bench, found),
        "command": command,
        "columns": ["model", *tables.COST_COLUMNS, *keys, f"HFF's {task.headline} over it"],
        "rows": rows,
    }


def words_note(data: BenchData) -> str:
    """Where the words' features are from, and whether our BERT learned from this corpus before."""
    corpus = ALL.get(data.dialogues.name)
    learned = corpus.PARTS.get("text") if corpus else None
    if data.text == "bert" and learned:
        return f"Words: our BERT's, which learned from {learned}."
    return TEXT_NOTES[data.text]


def _note(bench: Bench, found: Found) -> str:
    """How the table's figures came to be, from the settings that made them."""
    cross = found.part == CROSS_VALIDATION
    count = sum(len(one) for one in found.held)
    read = f"{count} utterances of {len(found.held)} dialogues or videos"
    if cross:
        read += f" in {FOLDS} folds of whole ones, each read by models that have not met it"
    how = "by the validation part"
    if not isinstance(bench.task, Emotions) or cross:
        how = "by a fifth of what each fold trains on" if cross else f"by {FOLDS} folds of what it trains on"
    reach = "what was said up to it" if bench.recipe.past_only else "its whole dialogue"
    said = [
        f"{read}; {bench.seeds} seeds: mean and standard deviation.",
        search_note(bench.usual, bench.tries, how),
        f"{bench.recipe.plan.epochs} epochs; every utterance is read from {reach}.",
        words_note(bench.data),
    ]
    if bench.leaks and found.part != "test":
        shares = "; ".join(f"{leak.modality} {100 * leak.share:.0f} %" for leak in bench.leaks)
        said.append(
            f"Features that have seen these labels are exchanged among utterances, the scored ones too: {shares}."
        )
    said.append(
        f"HFF over another: in points, with the {100 * CONFIDENCE:.0f} % interval of a paired bootstrap over dialogues "
        "and seeds; ahead and behind are said only where it leaves out 0."
    )
    said.append(tables.COST_NOTE)
    return " ".join(said)
