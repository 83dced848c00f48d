"""The trainings of a benchmark: each reads some dialogues with one model, one setting and one seed, and is done once.

A job has a folder named after all that decides what comes of it: the data, the recipe, the code, the model, the
setting, the seed and the part of the data that it learns from. What it read is kept there, so that a killed command
goes on where it stopped. Jobs that wait can be done by several processes.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.corpora.conversation import Conversation, all_labels, stacked, with_features
from train.engine import pool
from train.engine.memory import training_bytes
from train.engine.whole_files import write_whole
from train.experiments.benchmark import dialogues
from train.experiments.benchmark.bench_data import BenchData
from train.experiments.benchmark.dialogues import Build, DialogueModel, Recipe
from train.experiments.benchmark.leaks import Leak, exchanged
from train.experiments.benchmark.tasks import Emotions, Grades
from train.experiments.settings import CLASSIFIER_MORE, Setting
from train.experiments.trials import code_of
from train.fusion.dialogue_batches import batches

Places = tuple[int, ...]  # of dialogues in ``Bench.conversations``
COST_FILE = "cost.json"


@dataclass(frozen=True)
class Job:
    """One training, and what it is to read afterwards."""

    model: str
    build: Build
    setting: Setting
    training: Places
    held: Places
    seed: int
    where: str  # the part of the data, in words for a folder
    chooses: Places = ()  # dialogues by which the best epoch is kept; else the last one is
    spoilt: bool = True  # whether what is read has its leaking features spoilt too, so that it is as new


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
    tries: int = 1
    processes: int = 1
    usual: Setting = field(init=False)

    def __post_init__(self) -> None:
        self.usual = Setting(self.recipe.plan.learning_rate, self.recipe.d_model, self.recipe.dropout)

    @cached_property
    def conversations(self) -> list[Conversation]:
        """Of all parts, one after the other."""
        return [one for split in self.data.dialogues.splits.values() for one in split]

    def places(self, *splits: str) -> Places:
        """Where the dialogues of these parts are."""
        ends = np.cumsum([len(split) for split in self.data.dialogues.splits.values()]).tolist()
        own = dict(zip(self.data.dialogues.splits, map(range, [0, *ends], ends), strict=False))
        return tuple(place for split in splits for place in own[split])

    def at(self, places: Places) -> list[Conversation]:
        return [self.conversations[i] for i in places]

    def read_all(self, jobs: Sequence[Job]) -> list[np.ndarray]:
        """What each job reads: (N,C) for the utterances of its ``held``."""
        waiting = [job for job in jobs if not self.reading_file(job).exists()]
        if self.processes > 1 and len(waiting) > 1:
            threads = max(1, torch.get_num_threads() // self.processes)
            count = min(self.processes, len(waiting))
            for _ in pool.each(_read_one, [(job,) for job in waiting], count, _enter_bench, (self, threads)):
                pass
        return [self.read(job) for job in jobs]

    def read(self, job: Job) -> np.ndarray:
        """(N,C): trains, unless that has been done."""
        path = self.reading_file(job)
        if not path.exists():
            reading = self._train_and_read(job)
            content = io.BytesIO()
            np.save(content, reading)
            write_whole(path, content.getvalue())
            if not job.chooses:  # else the same training may read another part
                for name in ("last.pt", "best.safetensors"):
                    (path.parent / name).unlink(missing_ok=True)
        return np.load(path)

    def _train_and_read(self, job: Job) -> np.ndarray:
        folder, recipe = self.folder_of(job), self.recipe_of(job)
        training, held = self.at(job.training), self.at(job.held)
        begun = time.perf_counter()
        model = dialogues.train(
            job.build, recipe, self.task, training, self.leaks, job.seed, folder, self.device, self.at(job.chooses)
        )
        self._note_cost(model, training, folder, time.perf_counter() - begun, recipe)
        reading = dialogues.predict(model, self.as_new(held, job.seed) if job.spoilt else held, self.task, self.device)
        figure = self.task.figures(all_labels(held), reading)[self.task.headline]
        print(
            f"{job.where}/{job.model}, {job.setting}, seed {job.seed}: {self.task.headline} {100 * figure:.1f} on "
            f"{len(reading)} utterances",
            flush=True,
        )
        return reading

    def _note_cost(
        self, model: DialogueModel, training: list[Conversation], folder: Path, seconds: float, recipe: Recipe
    ) -> None:
        if (folder / COST_FILE).exists():
            return
        some = batches(training, self.task, recipe.plan.batch_size, tokenizer=model.tokenizer)
        batch = next(some).to(self.device)
        cost = {
            "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "bytes": training_bytes(model.train(), lambda: dialogues.loss(model, batch)),
            "seconds": seconds / recipe.plan.epochs,
        }
        write_whole(folder / COST_FILE, json.dumps(cost) + "\n")

    def cost(self, job: Job) -> dict[str, float]:
        """Parameters, bytes of a training step, seconds an epoch."""
        return json.loads((self.folder_of(job) / COST_FILE).read_text())

    def recipe_of(self, job: Job) -> Recipe:
        setting = job.setting
        if setting == self.usual:
            return self.recipe
        return replace(
            self.recipe,
            d_model=setting.width,
            dropout=setting.dropout,
            classifier_dropout=round(setting.dropout + CLASSIFIER_MORE, 3),
            plan=replace(self.recipe.plan, learning_rate=setting.learning_rate),
        )

    def as_new(self, held: Sequence[Conversation], seed: int) -> Sequence[Conversation]:
        """Dialogues whose features have seen their labels, spoilt until they are like those of new ones."""
        if not self.leaks:
            return held
        features = {m: stacked(held, m) for m in held[0].features}
        rng = np.random.default_rng([seed, sum(len(one) for one in held)])
        return with_features(held, exchanged(features, self.leaks, rng))

    def folder_of(self, job: Job) -> Path:
        made_by = job.build.func if isinstance(job.build, partial) else job.build
        code = code_of(made_by, Path(dialogues.__file__))[:6]
        setting = f"{job.setting.learning_rate:g} {job.setting.width} {job.setting.dropout:g}"
        return self.out / job.where / f"{job.model} {code}" / f"{setting} seed {job.seed}"

    def reading_file(self, job: Job) -> Path:
        said = _digest([*(self.conversations[i].name for i in job.held), job.spoilt])
        return self.folder_of(job) / f"reading {said}.npy"


_bench: Bench | None = None  # of a process that trains for another one


def _enter_bench(bench: Bench, threads: int) -> None:
    global _bench
    torch.set_num_threads(threads)
    _bench = bench


def _read_one(job: Job) -> None:
    if _bench is None:
        raise RuntimeError("this process has not been given the dialogues")
    _bench.read(job)


def job_key(conversations: Sequence[Conversation], recipe: Recipe, leaks: Sequence[Leak]) -> str:
    """Names the runs of these features and this recipe."""
    digest = hashlib.sha256(repr((recipe, leaks, [one.name for one in conversations])).encode())
    for one in conversations:
        for values in (*one.features.values(), one.labels, one.speaker_numbers):
            digest.update(values.tobytes())
        digest.update(repr(one.texts).encode() if recipe.words else b"")
    return digest.hexdigest()[:8]


def _digest(what: Any) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:8]
