"""Each model's own setting, by the same small search for all: on validation, or on folds of the training dialogues.

Never on what is scored afterwards. Where validation chooses the epoch (emotions) it chooses the setting too; else the
training dialogues are split into folds, and the setting is best that reads those best which were held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from train.corpora.conversation import all_labels, folds
from train.experiments.benchmark.dialogues import Build
from train.experiments.benchmark.jobs import Bench, Job, Places
from train.experiments.settings import Setting, settings

SEARCH_SEED = 0


@dataclass(frozen=True)
class Ground:
    """What a search may look at."""

    where: str
    training: Places
    chooses: Places = ()
    inner: int = 1  # folds of the training dialogues that are held out in turn, where nothing else chooses


@dataclass(frozen=True)
class Tuned:
    """The setting that was chosen, and the score of each that was tried, in their order."""

    setting: Setting
    scores: tuple[float, ...] = ()


def tune(bench: Bench, models: Mapping[str, Build], grounds: list[Ground]) -> list[dict[str, Tuned]]:
    """For each ground the setting of each model; the usual one where a single one may be tried."""
    tried = settings(bench.usual, bench.tries)
    if len(tried) < 2:
        return [{model: Tuned(bench.usual) for model in models} for _ in grounds]
    jobs = {
        (place, model, setting): _jobs(bench, ground, model, build, setting)
        for place, ground in enumerate(grounds)
        for model, build in models.items()
        for setting in tried
    }
    bench.read_all([job for some in jobs.values() for job in some])
    scores = {key: _score(bench, some) for key, some in jobs.items()}
    chosen: list[dict[str, Tuned]] = []
    for place in range(len(grounds)):
        chosen.append({})
        for model in models:
            own = tuple(scores[place, model, setting] for setting in tried)
            chosen[-1][model] = Tuned(tried[int(np.argmax(own))], own)
    return chosen


def _jobs(bench: Bench, ground: Ground, model: str, build: Build, setting: Setting) -> list[Job]:
    if ground.chooses:
        # The very training that is scored afterwards with the first seed: done once.
        return [Job(model, build, setting, ground.training, ground.chooses, SEARCH_SEED, ground.where, ground.chooses)]
    found = []
    for number, out in enumerate(folds(bench.at(ground.training))):
        if number == ground.inner:
            break
        kept, held = (
            tuple(place for place, is_out in zip(ground.training, out, strict=True) if is_out == side)
            for side in (False, True)
        )
        where = f"{ground.where}, search {number}"
        found.append(Job(model, build, setting, kept, held, SEARCH_SEED, where))
    return found


def _score(bench: Bench, jobs: list[Job]) -> float:
    """The headline figure over all that the jobs held out."""
    readings = np.concatenate([bench.read(job) for job in jobs])
    labels = np.concatenate([all_labels(bench.at(job.held)) for job in jobs])
    return bench.task.figures(labels, readings)[bench.task.headline]
