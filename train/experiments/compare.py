"""HFF and its rivals on the same features, terms, seeds and test clips, each with its own best setting.

    python -m train compare --out DIR                     # 6 settings tried for each model, then 5 seeds
    python -m train compare --out DIR --tries 1 --seeds 3 --processes 2

What every model is told and may spend: ``terms``. What is tried for each: ``settings``. Prints tables of accuracy, of
what HFF is ahead or behind (a paired bootstrap over clips and seeds), of macro F1 and of the settings; writes
``OUT/compare.json`` and adds the tables to ``metrics.json`` beside the weights. The test clips are those of
``robustness``: clean, mixed as in training, and clean but for one modality at severity 1, in kinds of corruption of the
training and in others. Rivals that are made for dialogues are measured by ``benchmark``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

import numpy as np

from hff.config import MODALITIES
from hff.weights import MEASURED_FILE
from train.engine.whole_files import write_whole
from train.evaluation import robustness
from train.evaluation import tables as report
from train.evaluation.intervals import Difference, Measure, accuracy, paired
from train.experiments import settings
from train.experiments.trials import (
    MEASURES,
    Arena,
    Condition,
    Contender,
    Trial,
    arena_from,
    by_name,
    command_of,
    matrices,
    measured,
    summary,
)
from train.fusion.pairing import CLEAN, Mix
from train.fusion.training import fixed_clips
from train.rivals import RIVALS

TITLE = "HFF and its rivals on the same features"
CONTENDERS = [
    *(Contender(name, build) for name, build in RIVALS.items() if not build.conversational),
    Contender("HFF"),
]
ALL_BROKEN = "all broken"
Matrices = dict[str, dict[str, np.ndarray]]  # by model and condition


def run(options: argparse.Namespace) -> dict:
    """The stage ``compare``."""
    return compare(arena_from(options, CONTENDERS[0].config.labels), options.tries)


def compare(arena: Arena, tries: int) -> dict:
    """Search, train, test and write; returns the findings by condition."""
    tuned = arena.tuned(CONTENDERS, tries)
    trials = arena.trials([group[0].contender for group in tuned.values()])
    tests = conditions(arena)
    arena.test(trials, tests)
    names, classes = [test.name for test in tests], len(arena.labels)
    found = {
        model: {name: matrices(group, name, classes) for name in names} for model, group in by_name(trials).items()
    }
    differences = differences_of(found, names)
    best = {name: against_the_best(differences, name) for name in [*names, ALL_BROKEN]}
    command = command_of("compare", arena.budget, tries)
    note = terms_note(arena, tries)
    chosen = {name: (group[0].contender.setting, [t.score for t in group]) for name, group in tuned.items()}
    tables = [
        *(figures_table(trials, names, measure, classes, note, command) for measure in MEASURES),
        differences_table(differences, best, note, command),
        settings.chosen_table(f"{TITLE}: settings", note, command, chosen),
    ]
    for one in tables:
        print(report.table_as_text(one), flush=True)
    written = {
        "command": command,
        "budget": dataclasses.asdict(arena.budget),
        "findings": best,
        "differences": {m: {n: dataclasses.asdict(d) for n, d in row.items()} for m, row in differences.items()},
        "models": summary(trials, names, classes),
        "tried": {
            name: [dataclasses.asdict(t.contender.setting) | {"score": t.score} for t in g] for name, g in tuned.items()
        },
    }
    write_whole(arena.out / "compare.json", json.dumps(written, indent=1) + "\n")
    report.add_tables(arena.out / "weights" / MEASURED_FILE, tables)
    return best


def conditions(arena: Arena) -> list[Condition]:
    """Clean, mixed, and every modality broken in both kinds of corruption."""
    pairs = {split: arena.split(split) for split in robustness.CORRUPTION}

    def fixed(mix: Mix, seed: int):
        return lambda: fixed_clips(pairs["test"], robustness.CLIPS, mix, seed)

    def broken(split: str, m: int):
        return lambda: robustness.broken(pairs[split], m, robustness.SEVERITY_LEVELS)

    found = [
        Condition("clean", fixed(CLEAN, robustness.SEED)),
        Condition("mixed", fixed(Mix(held_out=1), robustness.SEED + 1)),
    ]
    for split, suffix in zip(robustness.CORRUPTION, ("", ", unseen"), strict=True):
        found += [Condition(f"{name} broken{suffix}", broken(split, m)) for m, name in enumerate(MODALITIES)]
    return found


def differences_of(found: Matrices, names: list[str], measure: Measure = accuracy) -> dict[str, dict[str, Difference]]:
    """HFF's measure over each rival's, under each condition and over all in which something is broken."""
    groups = {name: [name] for name in names} | {ALL_BROKEN: [name for name in names if "broken" in name]}
    return {
        rival: {
            title: paired([found["HFF"][n] for n in group], [theirs[n] for n in group], measure)
            for title, group in groups.items()
        }
        for rival, theirs in found.items()
        if rival != "HFF"
    }


def against_the_best(differences: dict[str, dict[str, Difference]], name: str) -> str:
    """What is to say of HFF under a condition: against the rival with the best mean, by the interval only."""
    rival = min(differences, key=lambda rival: differences[rival][name].mean)
    found = differences[rival][name]
    joined = {"ahead": "ahead of", "behind": "behind", "no difference seen": "no difference seen from"}
    return f"{joined[found.verdict]} {rival}, {found.points}"


def terms_note(arena: Arena, tries: int) -> str:
    """What every table of the command says of how its models came to be."""
    budget = arena.budget
    search = settings.search_note(CONTENDERS[0].setting, tries, "by its validation score")
    return (
        f"{budget.epochs} epochs of {budget.batches} batches for each, the same in the same order, "
        f"{len(budget.seeds)} seeds. {search} No model is told anything but the clip's label. The epoch with the best "
        f"validation score is tested, on {robustness.CLIPS} class-paired clips a column. Broken: severity 1, in "
        f"{robustness.CORRUPTION['test']}; unseen: in {robustness.CORRUPTION['unseen']}."
    )


def figures_table(trials: list[Trial], names: list[str], measure: str, classes: int, note: str, command: str) -> dict:
    """One measure of every model under every condition, and what the model costs."""
    rows = []
    for name, group in by_name(trials).items():
        figures = [trial.figures for trial in group]
        seconds = [one["seconds"] for one in figures if one["seconds"] is not None]
        row: list = [name, figures[0]["parameters"], round(figures[0]["bytes"] / 1e6)]
        row.append(round(min(seconds), 1) if seconds else None)
        rows.append(row + [report.mean_and_deviation(measured(group, n, classes)[measure]) for n in names])
    return {
        "title": f"{TITLE}: {measure}",
        "note": f"Mean and standard deviation over the seeds. {note} {report.COST_NOTE}",
        "command": command,
        "columns": ["model", *report.COST_COLUMNS, *names],
        "rows": rows,
    }


def differences_table(
    differences: dict[str, dict[str, Difference]], best: dict[str, str], note: str, command: str
) -> dict:
    """HFF over each rival, with intervals."""
    titles = list(best)
    said = "; ".join(f"{title}: {what}" for title, what in best.items())
    return {
        "title": f"{TITLE}: HFF's accuracy over each rival's",
        "note": "In points, with the 95 % interval of a paired bootstrap over test clips and seeds; ahead and behind "
        f"are said only where the interval leaves out 0. {note} HFF and the best rival of each column. {said}.",
        "command": command,
        "columns": ["rival", *titles],
        "rows": [[rival, *(str(row[title]) for title in titles)] for rival, row in differences.items()],
    }
