"""Tables of measured figures: a cell over several seeds, and tables added to those that stand beside the weights.

A table is a dict with the keys title, note, command, columns and rows, as ``train.evaluation.evaluate`` makes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev

from hff.weights import CARD_FILE
from train.engine.whole_files import write_whole
from train.evaluation import model_card

COST_COLUMNS = ["parameters", "memory, MB", "seconds an epoch"]
COST_NOTE = (
    "Memory is what a training step holds of weights, gradients, the optimiser and what the gradient is made from; "
    "seconds are those of the machine that trained it."
)


def mean_and_deviation(values: list[float]) -> str:
    """ "0.812 ± 0.010": mean and sample standard deviation; of one value the value alone."""
    shown = f"{mean(values):.3f}"
    return shown if len(values) < 2 else f"{shown} ± {stdev(values):.3f}"


def table_as_text(table: dict) -> str:
    """Title, Markdown table and note, for the terminal."""
    return f"\n{table['title']}\n\n{model_card.table(table['columns'], table['rows'])}\n\n{table['note']}\n"


def add_tables(path: Path, tables: list[dict]) -> None:
    """Merge tables into ``metrics.json`` at ``path``: one with the title of another takes its place.

    Everything else in the file stays. The model card beside it is written anew where ``evaluate`` has made one.
    """
    report = json.loads(path.read_text()) if path.exists() else {"tables": []}
    by_title = {table["title"]: table for table in [*report["tables"], *tables]}
    report["tables"] = list(by_title.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(report, indent=1) + "\n")
    if "confusion" in report:
        model_card.write(report, path.with_name(CARD_FILE))
