"""HFF and its rivals on the same features, budget, seeds and test clips.

    python -m train compare --out DIR                     # 12 epochs of 40 batches, 3 seeds
    python -m train compare --out DIR --seeds 5 --epochs 20 --threads 2

Prints two tables (accuracy and macro F1), writes ``OUT/compare.json`` and adds the tables to ``metrics.json`` beside
the weights. The test clips are those of ``robustness``: clean, mixed as in training, and clean but for one
modality at severity 1, in kinds of damage of the training and in others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

import torch

from hff.config import MODALITIES
from hff.weights import MEASURED_FILE
from train.engine.whole_files import write_whole
from train.evaluation import robustness
from train.evaluation import tables as report
from train.experiments.trials import Arena, Condition, Contender, TrainingBudget, Trial, budget_from, by_name, summary
from train.fusion.pairing import CLEAN, Mix
from train.fusion.training import fixed_clips
from train.rivals import RIVALS

COMMAND = "python -m train compare --data DIR --out DIR"
MEASURES = ("accuracy", "macro F1")
CONTENDERS = [
    *(Contender(name, build) for name, build in RIVALS.items() if not build.conversational),
    Contender("HFF"),
]


def run(options: argparse.Namespace) -> dict:
    """The stage ``compare``."""
    return compare(options.out, options.device, budget_from(options))


def compare(out: Path, device: torch.device, budget: TrainingBudget) -> dict:
    """Train, test and write; returns the findings by condition."""
    arena = Arena(out, device, budget, CONTENDERS[0].config.labels)
    trials = arena.trials(CONTENDERS)
    tests = conditions(arena)
    arena.measure(trials, tests)
    names = [test.name for test in tests]
    found = findings(trials, names)
    tables = [table(trials, names, measure, budget, found) for measure in range(len(MEASURES))]
    for one in tables:
        print(report.as_text(one), flush=True)
    written = {"command": COMMAND, "budget": vars(budget), "findings": found, "models": summary(trials)}
    write_whole(out / "compare.json", json.dumps(written, indent=1) + "\n")
    report.add_tables(out / "weights" / MEASURED_FILE, tables)
    return found


def conditions(arena: Arena) -> list[Condition]:
    """Clean, mixed, and every modality broken in both kinds of damage."""
    pairs = {split: arena.split(split) for split in robustness.DAMAGE}

    def fixed(mix: Mix, seed: int):
        return lambda: fixed_clips(pairs["test"], robustness.CLIPS, mix, seed)

    def broken(split: str, m: int):
        return lambda: robustness.broken(pairs[split], m, robustness.SEVERITY_LEVELS)

    found = [
        Condition("clean", fixed(CLEAN, robustness.SEED)),
        Condition("mixed", fixed(Mix(held_out=1), robustness.SEED + 1)),
    ]
    for split, suffix in zip(robustness.DAMAGE, ("", ", unseen"), strict=True):
        found += [Condition(f"{name} broken{suffix}", broken(split, m)) for m, name in enumerate(MODALITIES)]
    return found


def findings(trials: list[Trial], names: list[str]) -> dict[str, str]:
    """For each condition, whether HFF leads by mean accuracy, and by how much or behind whom."""
    said = {}
    for name in names:
        means = {
            model: mean(trial.figures["test"][name][0] for trial in group) for model, group in by_name(trials).items()
        }
        rival = max((model for model in means if model != "HFF"), key=means.__getitem__)
        points = 100 * (means["HFF"] - means[rival])
        said[name] = f"HFF {'leads' if points > 0 else 'does not lead'}: {points:+.1f} points against {rival}"
    return said


def table(trials: list[Trial], names: list[str], measure: int, budget: TrainingBudget, found: dict[str, str]) -> dict:
    """One measure of every model under every condition."""
    rows = []
    for name, group in by_name(trials).items():
        seconds = [trial.figures["seconds"] for trial in group if trial.figures["seconds"] is not None]
        row: list = [name, group[0].figures["parameters"], round(min(seconds), 1) if seconds else None]
        rows.append(row + [report.mean_and_deviation([t.figures["test"][n][measure] for t in group]) for n in names])
    note = (
        f"{budget.epochs} epochs of {budget.batches} batches for each, the same in the same order, "
        f"{len(budget.seeds)} seeds: mean and standard deviation. The epoch with the best validation score is tested, "
        f"on {robustness.CLIPS} class-paired clips a column. Broken: severity 1, in {robustness.DAMAGE['test']}; "
        f"unseen: in {robustness.DAMAGE['unseen']}. Seconds are those of the fastest epoch."
    )
    if measure == 0:
        note += " " + "; ".join(f"{name}: {what}" for name, what in found.items()) + "."
    return {
        "title": f"HFF and its rivals on the same features: {MEASURES[measure]}",
        "note": note,
        "command": COMMAND,
        "columns": ["model", "parameters", "seconds an epoch", *names],
        "rows": rows,
    }
