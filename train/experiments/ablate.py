"""The paper's tables 4 and 5 on our data: HFF without each of its parts, for every subset; and other numbers of heads.

    python -m train ablate --out DIR                      # 12 epochs of 40 batches, 2 seeds
    python -m train ablate --out DIR --seeds 1 --threads 2

Each ablation is trained once a seed, with modalities dropped at random, and then tested on every subset of
modalities. Prints the tables, writes ``OUT/ablate.json`` and adds the tables to ``metrics.json`` beside the weights.
The whole model is that of ``train.experiments.compare``: with the same budget it is not trained again.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from hff.config import MODALITIES, HFFConfig
from hff.weights import MEASURED_FILE
from train.engine.whole_files import write_whole
from train.evaluation import robustness
from train.evaluation import tables as report
from train.experiments.trials import Arena, Condition, Contender, TrainingBudget, Trial, budget_from, by_name, summary
from train.fusion.pairing import CLEAN
from train.fusion.training import fixed_clips

COMMAND = "python -m train ablate --data DIR --out DIR"
SWITCHES = {
    "without attention": "use_attention",
    "without dynamic weighting": "use_dynamic_weighting",
    "without temporal modelling": "use_temporal",
    "without cross-modal alignment": "use_alignment",
}
HEAD_COUNTS = (4, 6, 8, 10)
SUBSETS = [keep for size in (1, 2, 3) for keep in combinations(MODALITIES, size)]
WITH_ALL = tuple(MODALITIES)
WHOLE = Contender("HFF")
_OFF: list[tuple[str, dict[str, Any]]] = [(name, {part: False}) for name, part in SWITCHES.items()]
ABLATIONS = [WHOLE, *(Contender(name, config=HFFConfig(**switch)) for name, switch in _OFF)]
WITH_HEADS = {
    heads: WHOLE if heads == WHOLE.config.heads else Contender(f"{heads} heads", config=HFFConfig(heads=heads))
    for heads in HEAD_COUNTS
}
TEST_KINDS = {"clean": "clean clips", "broken": "clips with one of the present modalities broken (severity 1)"}


def run(options: argparse.Namespace) -> dict:
    """The stage ``ablate``."""
    return ablate(options.out, options.device, budget_from(options))


def ablate(out: Path, device: torch.device, budget: TrainingBudget) -> dict:
    """Train, test and write; returns the tables' rows by title."""
    arena = Arena(out, device, budget, WHOLE.config.labels)
    others = [contender for contender in WITH_HEADS.values() if contender is not WHOLE]
    trials = by_name(arena.trials([*ABLATIONS, *others]))
    tests = conditions(arena)
    arena.measure([t for contender in ABLATIONS for t in trials[contender.name]], list(tests.values()))
    arena.measure([t for contender in others for t in trials[contender.name]], [tests[k, WITH_ALL] for k in TEST_KINDS])
    tables = [*(parts_table(trials, kind, budget) for kind in TEST_KINDS), heads_table(trials, budget)]
    for one in tables:
        print(report.as_text(one), flush=True)
    everything = [trial for group in trials.values() for trial in group]
    written = {"command": COMMAND, "budget": vars(budget), "models": summary(everything)}
    write_whole(out / "ablate.json", json.dumps(written, indent=1) + "\n")
    report.add_tables(out / "weights" / MEASURED_FILE, tables)
    return {one["title"]: one["rows"] for one in tables}


def conditions(arena: Arena) -> dict[tuple[str, tuple[str, ...]], Condition]:
    """Every subset of the modalities, clean and with one of them broken; by kind and subset."""
    pairs = arena.split("test")

    def clips(kind: str, keep: tuple[str, ...]):
        if kind == "clean":
            return lambda: fixed_clips(pairs, robustness.CLIPS, CLEAN, robustness.SEED)
        return lambda: robustness.one_broken(pairs, keep)

    return {
        (kind, keep): Condition(_named(kind, keep), clips(kind, keep), keep) for kind in TEST_KINDS for keep in SUBSETS
    }


def _named(kind: str, keep: tuple[str, ...]) -> str:
    return f"{kind}: {' + '.join(keep)}"


def _cell(group: list[Trial], kind: str, keep: tuple[str, ...], measure: int) -> str:
    return report.mean_and_deviation([trial.figures["test"][_named(kind, keep)][measure] for trial in group])


def _terms(budget: TrainingBudget) -> str:
    return (
        f"Trained for {budget.epochs} epochs of {budget.batches} batches with modalities dropped at random; "
        f"{len(budget.seeds)} seed{'s: mean and standard deviation' if len(budget.seeds) > 1 else ''}; "
        f"{robustness.CLIPS} class-paired test clips, as many of each label, so that macro and weighted F1 are one."
    )


def parts_table(trials: dict[str, list[Trial]], kind: str, budget: TrainingBudget) -> dict:
    """Table 4 of the paper: parts taken away, for every subset."""
    return {
        "title": f"Parts taken away (the paper's table 4), macro F1, {kind}",
        "note": f"On {TEST_KINDS[kind]}. {_terms(budget)}",
        "command": COMMAND,
        "columns": ["model", *(" + ".join(keep) for keep in SUBSETS)],
        "rows": [
            [contender.name, *(_cell(trials[contender.name], kind, keep, 1) for keep in SUBSETS)]
            for contender in ABLATIONS
        ],
    }


def heads_table(trials: dict[str, list[Trial]], budget: TrainingBudget) -> dict:
    """Table 5 of the paper: the number of attention heads."""
    rows = []
    for heads, contender in WITH_HEADS.items():
        group = trials[contender.name]
        cells = [_cell(group, kind, WITH_ALL, measure) for kind in TEST_KINDS for measure in (0, 1)]
        rows.append([heads, contender.config.head_dim, group[0].figures["parameters"], *cells])
    return {
        "title": "Number of attention heads (the paper's table 5)",
        "note": "All three modalities; broken: one of them, at severity 1. Each head is ceil(128 / heads) wide. "
        + _terms(budget),
        "command": COMMAND,
        "columns": [
            "heads",
            "width of a head",
            "parameters",
            *(f"{measure}, {kind}" for kind in TEST_KINDS for measure in ("accuracy", "macro F1")),
        ],
        "rows": rows,
    }
