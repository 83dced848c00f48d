"""The paper's tables 4 and 5 on our data: HFF without each of its parts, for every subset; and other numbers of heads.

    python -m train ablate --out DIR                      # 3 seeds
    python -m train ablate --out DIR --seeds 5 --processes 2

Each ablation is trained once a seed, on the terms of ``terms``, with modalities dropped at random, and then tested on
every subset of modalities. Prints the tables and what each change makes of the whole model's figures (a paired
bootstrap over clips and seeds), writes ``OUT/ablate.json`` and adds the tables to ``metrics.json`` beside the weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from itertools import combinations
from typing import Any

from hff.config import MODALITIES, HFFConfig
from hff.weights import MEASURED_FILE
from train.engine.whole_files import write_whole
from train.evaluation import robustness
from train.evaluation import tables as report
from train.evaluation.intervals import Difference, macro_f1, paired
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
from train.fusion.pairing import CLEAN
from train.fusion.training import fixed_clips

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

Trials = dict[str, list[Trial]]  # by contender


def run(options: argparse.Namespace) -> dict:
    """The stage ``ablate``."""
    return ablate(arena_from(options, WHOLE.config.labels))


def ablate(arena: Arena) -> dict:
    """Train, test and write; returns the tables' rows by title."""
    others = [contender for contender in WITH_HEADS.values() if contender is not WHOLE]
    trials = by_name(arena.trials([*ABLATIONS, *others]))
    tests = conditions(arena)
    arena.test([t for contender in ABLATIONS for t in trials[contender.name]], list(tests.values()))
    arena.test([t for contender in others for t in trials[contender.name]], [tests[k, WITH_ALL] for k in TEST_KINDS])
    classes, command = len(arena.labels), command_of("ablate", arena.budget)
    tables = [
        table | {"command": command, "note": f"{table['note']} {terms_note(arena)}"}
        for table in (
            *(parts_table(trials, kind, classes) for kind in TEST_KINDS),
            *(parts_differences(trials, kind, classes) for kind in TEST_KINDS),
            heads_table(trials, classes),
        )
    ]
    for one in tables:
        print(report.table_as_text(one), flush=True)
    everything = [trial for group in trials.values() for trial in group]
    written = {
        "command": command,
        "budget": dataclasses.asdict(arena.budget),
        "models": summary(everything, [test.name for test in tests.values()], classes),
    }
    write_whole(arena.out / "ablate.json", json.dumps(written, indent=1) + "\n")
    report.add_tables(arena.out / "weights" / MEASURED_FILE, tables)
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


def terms_note(arena: Arena) -> str:
    """What every table of the command says of how its models came to be."""
    budget = arena.budget
    return (
        f"Trained for {budget.epochs} epochs of {budget.batches} batches with modalities dropped at random, told "
        f"nothing but the clip's label; {len(budget.seeds)} seed{'s' * (len(budget.seeds) > 1)}; {robustness.CLIPS} "
        "class-paired test clips, as many of each label, so that macro and weighted F1 are one."
    )


def _cell(group: list[Trial], kind: str, keep: tuple[str, ...], measure: str, classes: int) -> str:
    return report.mean_and_deviation(measured(group, _named(kind, keep), classes)[measure])


def _difference(group: list[Trial], whole: list[Trial], test: str, classes: int) -> Difference:
    """Macro F1 of a changed model over the whole one's."""
    return paired([matrices(group, test, classes)], [matrices(whole, test, classes)], macro_f1)


def parts_table(trials: Trials, kind: str, classes: int) -> dict:
    """Table 4 of the paper: parts taken away, for every subset."""
    return {
        "title": f"Parts taken away (the paper's table 4), macro F1, {kind}",
        "note": f"On {TEST_KINDS[kind]}; mean and standard deviation over the seeds.",
        "columns": ["model", *(" + ".join(keep) for keep in SUBSETS)],
        "rows": [
            [
                contender.name,
                *(_cell(trials[contender.name], kind, keep, "macro F1", classes) for keep in SUBSETS),
            ]
            for contender in ABLATIONS
        ],
    }


def parts_differences(trials: Trials, kind: str, classes: int) -> dict:
    """What taking a part away makes of the macro F1 of the whole model."""
    without = [contender for contender in ABLATIONS if contender is not WHOLE]
    found = {
        contender.name: [
            _difference(trials[contender.name], trials[WHOLE.name], _named(kind, keep), classes) for keep in SUBSETS
        ]
        for contender in without
    }
    return {
        "title": f"Parts taken away: what becomes of the macro F1, {kind}",
        "note": f"On {TEST_KINDS[kind]}; in points over the whole HFF, with the 95 % interval of a paired bootstrap "
        "over test clips and seeds. Behind: the part helps; ahead: it does harm; else the interval holds 0.",
        "columns": ["model", *(" + ".join(keep) for keep in SUBSETS)],
        "rows": [[name, *map(str, differences)] for name, differences in found.items()],
    }


def heads_table(trials: Trials, classes: int) -> dict:
    """Table 5 of the paper: the number of attention heads."""
    rows = []
    for heads, contender in WITH_HEADS.items():
        group = trials[contender.name]
        cells = [_cell(group, kind, WITH_ALL, measure, classes) for kind in TEST_KINDS for measure in MEASURES]
        against: list = [
            None if contender is WHOLE else str(_difference(group, trials[WHOLE.name], _named(kind, WITH_ALL), classes))
            for kind in TEST_KINDS
        ]
        rows.append([heads, contender.sized.head_dim, group[0].figures["parameters"], *cells, *against])
    return {
        "title": "Number of attention heads (the paper's table 5)",
        "note": "All three modalities; broken: one of them, at severity 1. Each head is ceil(width / heads) wide. Mean "
        f"and standard deviation over the seeds; macro F1 over that of {WHOLE.config.heads} heads in points, with the "
        "95 % interval of a paired bootstrap over test clips and seeds.",
        "columns": [
            "heads",
            "width of a head",
            "parameters",
            *(f"{measure}, {kind}" for kind in TEST_KINDS for measure in MEASURES),
            *(f"macro F1 over {WHOLE.config.heads} heads, {kind}" for kind in TEST_KINDS),
        ],
        "rows": rows,
    }
