"""HFF and its rivals on a file of trimodal utterance features, such as CMU-MOSI's.

    python -m train benchmark --features FILE.pkl --out DIR              # validation, and test where the file has one
    python -m train benchmark --features FILE.pkl --out DIR --cv         # cross-validation over the videos

Train on "train" and score "valid"; where there is a "test", train on both and score that, once. No score chooses an
epoch: their number is part of ``Recipe``. The mean is of single models; "seeds together" averages their readings.

What speaks for the choices, on CMU-MOSI's 62 training and validation videos with folds of whole videos:

- ``--text bert --cv`` is the honest figure, since our BERT has not seen these labels; only the face is exchanged.
  ``--models HFF --seeds 3``: accuracy 80.7 ± 0.2 % (80.2 ± 0.5 with 8 epochs in place of 15).
- ``--text both --cv`` adds the file's text features, which have (``leaks``), and takes for granted
  that they are as reliable on new videos as published: an estimate.
  ``--models HFF --seeds 1``: accuracy 83.9 %.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score

from hff.errors import InputError
from hff.model.hff import HFF
from train.corpora import mmsa
from train.corpora.mmsa import Utterances
from train.experiments.benchmark import bert_features
from train.experiments.benchmark.dialogues import Build, Grades, Recipe, predict, train
from train.experiments.benchmark.leaks import Leak, exchanged, find


def models(names: str) -> dict[str, Build]:
    """Builders by name, HFF first; ``names`` as on the command line, in any case."""
    from train.rivals import RIVALS

    known: dict[str, Build] = {"HFF": HFF, **RIVALS}
    if names == "all":
        return known
    lower = {name.lower(): name for name in known}
    wanted = [name.strip().lower() for name in names.split(",")]
    unknown = [name for name in wanted if name not in lower]
    if unknown:
        raise InputError(f"No model {', '.join(unknown)}; there are: {', '.join(known)}.")
    return {lower[name]: known[lower[name]] for name in wanted}


def scores(truth: np.ndarray, reading: np.ndarray, graded: bool) -> dict[str, float]:
    """Accuracy and weighted F1 of the sign, neutral utterances (label 0) left out as in MMSA's "Non0"; for graded
    labels also the mean absolute error and Pearson's correlation, over all utterances."""
    signed = truth != 0
    positive, said = truth[signed] > 0, reading[signed] > 0
    figures = {
        "accuracy": float((positive == said).mean()),
        "weighted F1": float(f1_score(positive, said, average="weighted")),
    }
    if graded:
        varies = truth.std() > 0 and reading.std() > 0
        figures["MAE"] = float(np.abs(truth - reading).mean())
        figures["correlation"] = float(np.corrcoef(truth, reading)[0, 1]) if varies else 0.0
    return figures


@dataclass
class Bench:
    """What all trainings of one command share."""

    grades: Grades
    recipe: Recipe
    leaks: list[Leak]
    device: torch.device
    out: Path

    def fit_predict(self, build: Build, training: Utterances, held: Utterances, seed: int, name: str) -> np.ndarray:
        """Train on one set and read the other: (N,) sentiment."""
        folder = self.out / name / f"seed {seed}"
        model = train(build, self.recipe, self.grades, training, self.leaks, seed, folder, self.device)
        reading = self.grades.sentiment(predict(model, held, self.grades, self.device))
        accuracy = scores(held.labels, reading, graded=False)["accuracy"]
        print(f"{name}, seed {seed}: accuracy {100 * accuracy:.1f} on {len(held)} utterances", flush=True)
        return reading

    def as_new(self, held: Utterances, seed: int) -> Utterances:
        """Utterances whose features have seen their labels, spoilt until they are like those of new videos."""
        rng = np.random.default_rng([seed, len(held)])
        return replace(held, features=exchanged(held.features, self.leaks, rng))


def run(options: argparse.Namespace) -> dict[str, float]:
    """The stage: prints a table for every set that is scored; returns each model's mean accuracy on the last."""
    splits = mmsa.load_file(options.features)
    given = {m: x.shape[1] for m, x in splits["train"].features.items()}
    if options.text != "given":
        encoded = bert_features.encode(splits, options.out / "benchmark" / "text", options.device)
        for name, split in splits.items():
            kept = [split.features["text"]] if options.text == "both" else []
            split.features["text"] = np.concatenate([*kept, encoded[name]], axis=1)
    if options.text == "bert":
        del given["text"]
    known = mmsa.joined(splits["train"], splits["valid"])
    leaks = find(known, given)
    for leak in leaks:
        print(f"note: {leak}", flush=True)
    recipe = Recipe()
    folder = options.out / "benchmark" / f"{options.features.stem} {options.text} {fingerprint(known, recipe, leaks)}"
    bench = Bench(Grades(known.labels), recipe, leaks, options.device, folder)
    chosen = models(options.models)
    if options.cv:
        found = cross_validate(bench, chosen, known, options.seeds)
        return report(options, bench, "cross-validation", found)
    found = evaluate(bench, chosen, splits["train"], splits["valid"], options.seeds, "valid")
    figures = report(options, bench, "valid", found)
    if "test" in splits:
        figures = report(options, bench, "test", evaluate(bench, chosen, known, splits["test"], options.seeds, "test"))
    return figures


def fingerprint(utterances: Utterances, recipe: Recipe, leaks: list[Leak]) -> str:
    """Names the runs of these features and this recipe: a folder's finished runs are not trained again."""
    digest = hashlib.sha256(repr((recipe, leaks, utterances.ids)).encode())
    for values in (*utterances.features.values(), utterances.labels):
        digest.update(values.tobytes())
    return digest.hexdigest()[:8]


def evaluate(
    bench: Bench, chosen: dict[str, Build], training: Utterances, held: Utterances, seeds: int, name: str
) -> dict[str, list[dict[str, float]]]:
    """For each model the scores of each seed on ``held``, and those of the seeds' mean reading."""
    found: dict[str, list[dict[str, float]]] = {}
    for model, build in chosen.items():
        readings = [
            bench.fit_predict(
                build, training, held if name == "test" else bench.as_new(held, seed), seed, f"{name}/{model}"
            )
            for seed in range(seeds)
        ]
        found[model] = [scores(held.labels, reading, bench.grades.graded) for reading in readings]
        together = np.mean(readings, axis=0)
        found[f"{model}, seeds together"] = [scores(held.labels, together, bench.grades.graded)]
    return found


def cross_validate(
    bench: Bench, chosen: dict[str, Build], known: Utterances, seeds: int
) -> dict[str, list[dict[str, float]]]:
    """For each model the scores of each seed, over the readings of all folds together."""
    found: dict[str, list[dict[str, float]]] = {}
    for model, build in chosen.items():
        found[model] = []
        for seed in range(seeds):
            reading = np.zeros(len(known))
            for number, mask in enumerate(mmsa.folds(known)):
                training, held = mmsa.chosen(known, ~mask), bench.as_new(mmsa.chosen(known, mask), seed)
                reading[mask] = bench.fit_predict(build, training, held, seed, f"fold {number}/{model}")
            found[model].append(scores(known.labels, reading, bench.grades.graded))
    return found


def report(
    options: argparse.Namespace, bench: Bench, name: str, found: dict[str, list[dict[str, float]]]
) -> dict[str, float]:
    """Print and store a table; returns the mean accuracies."""
    print(f"\n{options.features.name}, {name}, text {options.text}: mean and deviation of {options.seeds} seeds")
    if bench.leaks and name != "test":
        print("  (leaking features exchanged in the scored utterances too: an estimate for new videos)")
    width = max(map(len, found))
    for model, rows in found.items():
        cells = []
        for key in rows[0]:
            values = np.array([row[key] for row in rows])
            scale = 1 if key in ("MAE", "correlation") else 100
            spread = f" ± {scale * values.std(ddof=1):.2f}" if len(values) > 1 else ""
            cells.append(f"{key} {scale * values.mean():.2f}{spread}")
        print(f"  {model:<{width}}  " + "  ".join(cells), flush=True)
    path = bench.out / f"{name}.json"
    path.write_text(json.dumps({"file": options.features.name, "text": options.text, "scores": found}, indent=1))
    return {model: round(float(np.mean([row["accuracy"] for row in rows])), 4) for model, rows in found.items()}
