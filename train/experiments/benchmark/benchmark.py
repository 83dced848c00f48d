"""HFF and its rivals on dialogues, or on videos of opinions: every utterance has a label, and others around it.

    python -m train benchmark --corpus meld --data DIR --out DIR         # or emorynlp, iemocap, mosei, mosi
    python -m train benchmark --features FILE.pkl --out DIR              # a file of features, MMSA's or conv-emotion's
    python -m train benchmark ... --cv                                   # cross-validation over the dialogues

Sentiment: train on the training part and score validation; where there is a test part, train on both and score
that, once. No score chooses an epoch: their number is part of ``Recipe``. Emotions: the epoch is chosen on
validation, whichever part is scored. The mean is of single models; "seeds together" averages their readings.

Each model gets its own learning rate, width and dropout by the same search (``tuning``), never on what is scored;
``--tries 1`` takes the usual ones. ``--processes`` trains several at a time. What HFF is ahead or behind comes with an
interval over dialogues and seeds. The table is printed and goes to ``metrics.json`` beside the weights in OUT.

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
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hff.config import HFFConfig
from hff.errors import InputError
from hff.locale import say
from hff.model.hff import HFF
from hff.weights import MEASURED_FILE
from train.corpora.conversation import FOLDS, folds
from train.encoders.dialogue_text import SHIPPED_TEXT
from train.evaluation import tables
from train.experiments.ablate import HEAD_COUNTS, SWITCHES
from train.experiments.benchmark import bench_data
from train.experiments.benchmark.bench_data import BenchData
from train.experiments.benchmark.dialogues import FOR_EMOTIONS, FOR_OPINIONS, TUNED, Build, Recipe
from train.experiments.benchmark.jobs import Bench, Job, job_key
from train.experiments.benchmark.leaks import find_leaks
from train.experiments.benchmark.results import CROSS_VALIDATION, Found, card_table, cell
from train.experiments.benchmark.tasks import Emotions, Grades, task_of
from train.experiments.benchmark.tuning import Ground, tune

TRIES = 5  # settings for each model
HFF_VARIANTS: dict[str, dict[str, Any]] = {f"HFF {name}": {part: False} for name, part in SWITCHES.items()} | {
    f"HFF {heads} heads": {"heads": heads} for heads in HEAD_COUNTS
}


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
        raise InputError(say("benchmark.no_model", unknown=", ".join(unknown), known=", ".join(known)))
    return {lower[name]: known[lower[name]] for name in wanted}


def run(options: argparse.Namespace) -> dict[str, float]:
    """The stage: prints a table for every part that is scored; returns each model's mean headline on the last."""
    cache = options.out / "benchmark" / "features"
    found = bench_data.read(options.corpus, options.features, options.data, cache, options.device)
    wanted = bench_data.modalities_of(options.modalities)
    data = bench_data.prepare(found, options.text, wanted, options.out / "benchmark" / "text", options.device)
    chosen = models(options.models)
    bench = bench_of(data, recipe_from(options, data), options)
    figures: dict[str, float] = {}
    for part in scored_parts(bench, chosen, options):
        figures = report(bench, part, options)
    return figures


def recipe_from(options: argparse.Namespace, data: BenchData) -> Recipe:
    """The recipe for this kind of labels, with what was asked for on the command line."""
    recipe = FOR_EMOTIONS if isinstance(task_of(data.dialogues), Emotions) else FOR_OPINIONS
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
    leaks = find_leaks(known, data.given) if isinstance(task, Grades) else []
    for leak in leaks:
        print(f"note: {leak}", flush=True)
    folder = options.out / "benchmark" / f"{data.dialogues.name} text {data.text} {job_key(known, recipe, leaks)}"
    tries = options.tries or (1 if recipe.words else TRIES)  # an encoder that learns along takes its time
    return Bench(data, task, recipe, leaks, options.device, folder, options.seeds, tries, options.processes)


def scored_parts(bench: Bench, chosen: dict[str, Build], options: argparse.Namespace) -> list[Found]:
    """What every model says of validation and test, or in cross-validation, as it was asked for."""
    splits = bench.data.dialogues.splits
    if options.cv:
        return [cross_validate(bench, chosen)]
    parts = []
    if options.only != "test":
        parts.append(evaluate(bench, chosen, ("train",), "validation"))
    if "test" in splits and options.only != "validation":
        training = ("train",) if isinstance(bench.task, Emotions) else ("train", "validation")
        parts.append(evaluate(bench, chosen, training, "test"))
    if not parts:
        raise InputError(say("benchmark.no_test_part", name=bench.data.dialogues.name))
    return parts


def evaluate(bench: Bench, chosen: dict[str, Build], training: tuple[str, ...], part: str) -> Found:
    """Every model's readings of a part, one a seed."""
    chooses = bench.places("validation") if isinstance(bench.task, Emotions) else ()
    where = "emotions" if chooses else part  # one training serves both parts where validation chooses the epoch
    ground = Ground(where, bench.places(*training), chooses, inner=FOLDS)
    (tuned,) = tune(bench, chosen, [ground])
    jobs = {
        (model, seed): Job(
            model,
            build,
            tuned[model].setting,
            ground.training,
            bench.places(part),
            seed,
            where,
            chooses,
            part != "test",
        )
        for model, build in chosen.items()
        for seed in range(bench.seeds)
    }
    bench.read_all(list(jobs.values()))
    readings = {model: [bench.read(jobs[model, seed]) for seed in range(bench.seeds)] for model in chosen}
    return Found(part, bench.at(bench.places(part)), readings, [tuned], _costs(bench, chosen, jobs))


def cross_validate(bench: Bench, chosen: dict[str, Build]) -> Found:
    """Every model's readings of all dialogues, each by a model that has not seen it, one a seed.

    In each fold the setting is chosen on a fold of what is trained on there.
    """
    known = bench.places("train", "validation")
    held = [tuple(place for place, is_out in zip(known, out, strict=True) if is_out) for out in folds(bench.at(known))]
    grounds = [
        Ground(f"fold {number}", tuple(place for place in known if place not in out)) for number, out in enumerate(held)
    ]
    tuned = tune(bench, chosen, grounds)
    jobs = {
        (model, seed, number): Job(
            model, build, tuned[number][model].setting, ground.training, held[number], seed, ground.where
        )
        for number, ground in enumerate(grounds)
        for model, build in chosen.items()
        for seed in range(bench.seeds)
    }
    bench.read_all(list(jobs.values()))
    order = np.argsort([place for out in held for place in out])
    lengths = [len(one) for one in bench.at(tuple(place for out in held for place in out))]
    readings: dict[str, list[np.ndarray]] = {}
    for model in chosen:
        readings[model] = []
        for seed in range(bench.seeds):
            by_fold = np.concatenate([bench.read(jobs[model, seed, number]) for number in range(len(held))])
            by_dialogue = np.split(by_fold, np.cumsum(lengths)[:-1])
            readings[model].append(np.concatenate([by_dialogue[i] for i in order]))
    return Found(CROSS_VALIDATION, bench.at(known), readings, tuned, _costs(bench, chosen, jobs))


def _costs(bench: Bench, chosen: dict[str, Build], jobs: Mapping[tuple, Job]) -> dict[str, dict[str, float]]:
    """The middle of what each model's trainings cost."""
    found = {}
    for model in chosen:
        own = [bench.cost(job) for (name, *_), job in jobs.items() if name == model]
        found[model] = {key: float(np.median([cost[key] for cost in own])) for key in own[0]}
    return found


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
        "command": command_of(options, bench),
        "data": data.dialogues.name,
        "text": data.text,
        "part": found.part,
        "counts": data.dialogues.counts,
        "differences from the published counts": data.dialogues.differences,
        "headline": task.headline,
        "recipe": dataclasses.asdict(bench.recipe),
        "settings": [{model: dataclasses.asdict(one) for model, one in tuned.items()} for tuned in found.tuned],
        "costs": found.costs,
        "scores": rows,
        "HFF over": {model: vars(difference) for model, difference in differences.items()},
    }
    bench.out.mkdir(parents=True, exist_ok=True)
    (bench.out / f"{found.part}.json").write_text(json.dumps(written, indent=1))
    tables.add_tables(
        options.out / "weights" / MEASURED_FILE, [card_table(bench, found, differences, command_of(options, bench))]
    )
    return {model: round(float(np.mean([row[task.headline] for row in scores])), 4) for model, scores in rows.items()}


def command_of(options: argparse.Namespace, bench: Bench) -> str:
    """The command line that makes a table."""
    source = f"--corpus {options.corpus} --data DIR" if options.corpus else f"--features {options.features.name}"
    words = [f"python -m train benchmark {source} --out DIR --seeds {bench.seeds} --tries {bench.tries}"]
    for name in ("only", "text", "epochs"):
        if getattr(options, name, None):
            words.append(f"--{name} {getattr(options, name)}")
    if options.encoder:
        words.append(f"--encoder {Path(options.encoder).name}")
    for name in ("modalities", "models"):
        if getattr(options, name) != "all":
            words.append(f'--{name} "{getattr(options, name)}"')
    words += [f"--speakers {options.speakers}"] if options.speakers else []
    return " ".join([*words, *(["--cv"] if options.cv else []), *(["--past-only"] if options.past_only else [])])
