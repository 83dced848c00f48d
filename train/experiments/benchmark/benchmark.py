"""HFF and its rivals on dialogues, or on videos of opinions: every utterance has a label, and others around it.

    python -m train benchmark --corpus meld --data DIR --out DIR         # or emorynlp, iemocap, mosei, mosi
    python -m train benchmark --features FILE.pkl --out DIR              # a file of features, MMSA's or conv-emotion's
    python -m train benchmark ... --cv                                   # cross-validation over the dialogues

Sentiment: train on the training part and score validation; where there is a test part, train on both and score
that, once. No score chooses an epoch: their number is part of ``Recipe``. Emotions: the epoch is chosen on
validation, whichever part is scored. The mean is of single models; "seeds together" averages their readings.

``--past-only`` lets no answer rest on what is said later, ``--speakers N`` tells that many speakers of a dialogue
apart, ``--modalities TV`` leaves the others out, ``--only test`` trains nothing for the validation figures.
``--models`` takes HFF's ablations too ("HFF without attention", "HFF 4 heads" ...).

What speaks for the choices on sentiment, on CMU-MOSI's 62 training and validation videos with folds of whole videos:

- ``--text bert --cv`` is the honest figure, since our BERT has not seen these labels; only the face is exchanged.
  ``--models HFF --seeds 3``: accuracy 80.7 ± 0.2 % (80.2 ± 0.5 with 8 epochs in place of 15).
- ``--text both --cv`` adds the file's text features, which have (``leaks``), and takes for granted
  that they are as reliable on new videos as published: an estimate.
  ``--models HFF --seeds 1``: accuracy 83.9 %.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hff.config import HFFConfig
from hff.errors import InputError
from hff.model.hff import HFF
from train.corpora.conversation import Conversation, all_labels, folds, stacked, with_features
from train.encoders.dialogue_text import SHIPPED_TEXT
from train.evaluation.intervals import Difference, Measure, accuracy, confusions, paired, weighted_f1
from train.experiments.ablate import HEAD_COUNTS, SWITCHES
from train.experiments.benchmark import bench_data
from train.experiments.benchmark.bench_data import BenchData
from train.experiments.benchmark.dialogues import TUNED, Build, Recipe, predict, train
from train.experiments.benchmark.leaks import Leak, exchanged, find
from train.experiments.benchmark.tasks import Emotions, Grades, task_of
from train.experiments.trials import code_of, source_digest

NUMBERS = ("MAE", "correlation")  # figures that are no shares
HFF_VARIANTS: dict[str, dict[str, Any]] = {f"HFF {name}": {part: False} for name, part in SWITCHES.items()} | {
    f"HFF {heads} heads": {"heads": heads} for heads in HEAD_COUNTS
}
HEADLINES: dict[str, Measure] = {"accuracy": accuracy, "weighted F1": weighted_f1}


def changed_hff(config: HFFConfig, **changes: Any) -> HFF:
    """HFF with a part switched off, or another number of heads."""
    return HFF(dataclasses.replace(config, **changes))


def models(names: str) -> dict[str, Build]:
    """Builders by name, HFF first; ``names`` as on the command line, in any case. "all" are HFF and its rivals."""
    from train.rivals import RIVALS

    whole: dict[str, Build] = {"HFF": HFF, **RIVALS}
    if names == "all":
        return whole
    known = whole | {name: partial(changed_hff, **change) for name, change in HFF_VARIANTS.items()}
    lower = {name.lower(): name for name in known}
    wanted = [name.strip().lower() for name in names.split(",")]
    unknown = [name for name in wanted if name not in lower]
    if unknown:
        raise InputError(f"No model {', '.join(unknown)}; there are: {', '.join(known)}.")
    return {lower[name]: known[lower[name]] for name in wanted}


@dataclass
class Bench:
    """What all trainings of one command share."""

    data: BenchData
    task: Emotions | Grades
    recipe: Recipe
    leaks: list[Leak]
    device: torch.device
    out: Path
    seeds: int

    def fit_predict(
        self,
        build: Build,
        training: Sequence[Conversation],
        held: Sequence[Conversation],
        seed: int,
        name: str,
        chooses: Sequence[Conversation] = (),
    ) -> np.ndarray:
        """Train on some dialogues and read others: (N,C)."""
        folder = self.out / f"{name} {_code(build)}" / f"seed {seed}"
        model = train(build, self.recipe, self.task, training, self.leaks, seed, folder, self.device, chooses)
        reading = predict(model, held, self.task, self.device)
        figure = self.task.figures(all_labels(held), reading)[self.task.headline]
        print(f"{name}, seed {seed}: {self.task.headline} {100 * figure:.1f} on {len(reading)} utterances", flush=True)
        return reading

    def as_new(self, held: Sequence[Conversation], seed: int) -> Sequence[Conversation]:
        """Dialogues whose features have seen their labels, spoilt until they are like those of new ones."""
        if not self.leaks:
            return held
        features = {m: stacked(held, m) for m in held[0].features}
        rng = np.random.default_rng([seed, sum(len(one) for one in held)])
        return with_features(held, exchanged(features, self.leaks, rng))


@dataclass
class Found:
    """What each model says of one part of the data: a reading (N,C) for each seed."""

    part: str
    held: Sequence[Conversation]
    readings: dict[str, list[np.ndarray]]

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


def run(options: argparse.Namespace) -> dict[str, float]:
    """The stage: prints a table for every part that is scored; returns each model's mean headline on the last."""
    cache = options.out / "benchmark" / "features"
    found = bench_data.read(options.corpus, options.features, options.data, cache, options.device)
    wanted = bench_data.modalities_of(options.modalities)
    data = bench_data.prepare(found, options.text, wanted, options.out / "benchmark" / "text", options.device)
    bench = bench_of(data, recipe_from(options, data), options)
    chosen = models(options.models)
    figures: dict[str, float] = {}
    for part in scored_parts(bench, chosen, options):
        figures = report(bench, part, options)
    return figures


def recipe_from(options: argparse.Namespace, data: BenchData) -> Recipe:
    """The recipe for this kind of labels, with what was asked for on the command line."""
    recipe = Recipe()
    if data.text == "tuned":
        recipe = dataclasses.replace(TUNED, words=options.encoder or SHIPPED_TEXT)
    plan = recipe.plan
    if options.epochs:
        plan = dataclasses.replace(plan, epochs=options.epochs)
    return dataclasses.replace(recipe, speakers=options.speakers, past_only=options.past_only, plan=plan)


def bench_of(data: BenchData, recipe: Recipe, options: argparse.Namespace) -> Bench:
    """The bench in a folder of its own for these data and this recipe; features that have seen the labels are said."""
    splits, task = data.dialogues.splits, task_of(data.dialogues)
    known = [*splits["train"], *splits["validation"]]
    leaks = find(known, data.given) if isinstance(task, Grades) else []
    for leak in leaks:
        print(f"note: {leak}", flush=True)
    folder = options.out / "benchmark" / f"{data.dialogues.name} text {data.text} {fingerprint(known, recipe, leaks)}"
    return Bench(data, task, recipe, leaks, options.device, folder, options.seeds)


def scored_parts(bench: Bench, chosen: dict[str, Build], options: argparse.Namespace) -> list[Found]:
    """What every model says of validation and test, or in cross-validation, as it was asked for."""
    splits = bench.data.dialogues.splits
    known = [*splits["train"], *splits["validation"]]
    if options.cv:
        return [cross_validate(bench, chosen, known)]
    parts = []
    if options.only != "test":
        parts.append(evaluate(bench, chosen, splits["train"], splits["validation"], "validation"))
    if "test" in splits and options.only != "validation":
        training = splits["train"] if isinstance(bench.task, Emotions) else known
        parts.append(evaluate(bench, chosen, training, splits["test"], "test"))
    if not parts:
        raise InputError(f"{bench.data.dialogues.name} has no test part, so --only test leaves nothing to score.")
    return parts


def fingerprint(conversations: Sequence[Conversation], recipe: Recipe, leaks: Sequence[Leak]) -> str:
    """Names the runs of these features and this recipe: a folder's finished runs are not trained again."""
    digest = hashlib.sha256(repr((recipe, leaks, [one.name for one in conversations])).encode())
    for one in conversations:
        for values in (*one.features.values(), one.labels, one.speaker_numbers):
            digest.update(values.tobytes())
    return digest.hexdigest()[:8]


def _code(build: Build) -> str:
    """Names the code that a run depends on: a changed model or recipe is trained anew."""
    made_by = build.func if isinstance(build, partial) else build
    own = {Path(str(sys.modules[f"{__package__}.{name}"].__file__)) for name in ("dialogues", "leaks", "tasks")}
    return hashlib.sha256((code_of(made_by) + source_digest(own)).encode()).hexdigest()[:6]


def evaluate(
    bench: Bench, chosen: dict[str, Build], training: Sequence[Conversation], held: Sequence[Conversation], part: str
) -> Found:
    """Every model's readings of ``held``, one a seed."""
    chooses = bench.data.dialogues.splits["validation"] if isinstance(bench.task, Emotions) else ()
    where = "emotions" if chooses else part  # one training serves both parts where validation chooses the epoch
    readings = {
        model: [
            bench.fit_predict(
                build,
                training,
                held if part == "test" else bench.as_new(held, seed),
                seed,
                f"{where}/{model}",
                chooses,
            )
            for seed in range(bench.seeds)
        ]
        for model, build in chosen.items()
    }
    return Found(part, held, readings)


def cross_validate(bench: Bench, chosen: dict[str, Build], known: Sequence[Conversation]) -> Found:
    """Every model's readings of all dialogues, each by a model that has not seen it, one a seed."""
    lengths = [len(one) for one in known]
    readings: dict[str, list[np.ndarray]] = {}
    for model, build in chosen.items():
        readings[model] = []
        for seed in range(bench.seeds):
            whole = np.zeros((sum(lengths), len(bench.task.names)), np.float32)
            for number, out in enumerate(folds(known)):
                training = [one for one, held in zip(known, out, strict=True) if not held]
                held = bench.as_new([one for one, held in zip(known, out, strict=True) if held], seed)
                whole[np.repeat(out, lengths)] = bench.fit_predict(
                    build, training, held, seed, f"fold {number}/{model}"
                )
            readings[model].append(whole)
    return Found("cross-validation", known, readings)


def report(bench: Bench, found: Found, options: argparse.Namespace) -> dict[str, float]:
    """Print and store a table; returns the mean headline figures."""
    data, task = bench.data, bench.task
    print(f"\n{data.dialogues.name}, {found.part}, text {data.text}: mean and deviation of {bench.seeds} seeds")
    if bench.leaks and found.part != "test":
        print("  (leaking features exchanged in the scored utterances too: an estimate for new videos)")
    rows, differences = found.figures(task), found.differences(task)
    width = max(map(len, rows))
    for model, scores in rows.items():
        cells = [f"{key} {cell(key, [row[key] for row in scores])}" for key in scores[0]]
        print(f"  {model:<{width}}  " + "  ".join(cells), flush=True)
    for model, difference in differences.items():
        print(f"  HFF's {task.headline} over {model}: {difference}", flush=True)
    written = {
        "data": data.dialogues.name,
        "text": data.text,
        "part": found.part,
        "counts": data.dialogues.counts,
        "differences from the published counts": data.dialogues.differences,
        "headline": task.headline,
        "recipe": dataclasses.asdict(bench.recipe),
        "scores": rows,
        "HFF over": {model: vars(difference) for model, difference in differences.items()},
    }
    bench.out.mkdir(parents=True, exist_ok=True)
    (bench.out / f"{found.part}.json").write_text(json.dumps(written, indent=1))
    return {model: round(float(np.mean([row[task.headline] for row in scores])), 4) for model, scores in rows.items()}


def cell(key: str, values: Sequence[float]) -> str:
    """Mean and deviation of a figure, shares in percent."""
    scale = 1 if key in NUMBERS else 100
    spread = f" ± {scale * np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
    return f"{scale * np.mean(values):.2f}{spread}"
