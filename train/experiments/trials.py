"""Models trained on equal terms and tested on the same clips: what ``compare`` and ``ablate`` are made of.

A trial is one model with one setting and one seed, trained on the terms of ``terms``. All trials of a seed see the same
batches in the same order; each keeps its epoch with the best validation score, and only then meets test clips. A trial
lives in a folder of ``OUT/trials`` named after everything that decides its outcome, the code included, so that nothing
is trained twice, a killed command goes on where it stopped, and other features or another budget begin anew. What it
answered to test clips stands there with the key of the condition, so that other test clips are read again.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from hff import weights
from hff.config import MODALITIES, HFFConfig
from hff.errors import HFFError
from hff.locale import say
from hff.model.hff import HFF
from train.engine import pool
from train.engine.data_files import fingerprint
from train.engine.loop import fit
from train.engine.memory import training_bytes
from train.engine.whole_files import write_whole
from train.evaluation import robustness
from train.evaluation.intervals import Measure, accuracy, confusions, macro_f1
from train.experiments import terms
from train.experiments.settings import Setting, settings
from train.experiments.terms import TrainingBudget
from train.fusion import feature_files, training
from train.fusion.pairing import Batch, Mix, PairedClips

# Whose source decides what a trained model comes to, as far as a model or ``terms`` imports it.
DECIDES = (
    "hff.model",
    "hff.config",
    "hff.modalities",
    "train.rivals",
    "train.fusion",
    "train.engine.loop",
    "train.metrics",
    "train.corpora.conversation",
    "train.encoders.dialogue_text",
    "train.experiments.benchmark.leaks",
    "train.experiments.benchmark.tasks",
)
MEASURES: dict[str, Measure] = {"accuracy": accuracy, "macro F1": macro_f1}
ANSWERS_FILE = "answers.safetensors"


@dataclass(frozen=True)
class Contender:
    """A model by name; ``build`` gets ``config`` at the width and dropout of the setting."""

    name: str
    build: Callable[[HFFConfig], nn.Module] = HFF
    config: HFFConfig = field(default_factory=HFFConfig)
    setting: Setting = field(default_factory=Setting)

    @property
    def sized(self) -> HFFConfig:
        return self.setting.config(self.config)


@dataclass(frozen=True)
class Condition:
    """Test clips, made when they are asked for, and the modalities of them that a model gets to see."""

    name: str
    clips: Callable[[], list[Batch]]
    keep: Sequence[str] = MODALITIES

    @property
    def key(self) -> str:
        """Names all that decides which clips these are: the code that makes them, how many, what is kept of them."""
        code = source_digest({source_of(self.clips), Path(robustness.__file__)})
        return _digest({"code": code, "keep": list(self.keep), "clips": robustness.CLIPS})


@dataclass
class Trial:
    """A finished training, and what it answered so far."""

    contender: Contender
    seed: int
    folder: Path
    # parameters, bytes of a training step, seconds of the fastest epoch (None unless seen), validation, and under
    # "tested" the key of the condition that each answer was given under
    figures: dict

    def model(self, device: torch.device) -> nn.Module:
        model = self.contender.build(self.contender.sized)
        model.load_state_dict(load_file(self.folder / "best.safetensors"))
        return model.to(device).eval()

    @property
    def score(self) -> float:
        """On validation clips."""
        return self.figures["validation"]["score"]

    def answers(self) -> dict[str, Tensor]:
        """By condition: (2,N) labels, what was said and what it was."""
        path = self.folder / ANSWERS_FILE
        return load_file(path) if path.exists() else {}

    def keep(self, condition: Condition, key: str, said: Tensor, truth: Tensor) -> None:
        stored = self.answers() | {condition.name: torch.stack([said, truth]).to(torch.int16)}
        write_whole(self.folder / ANSWERS_FILE, save(stored))
        self.figures["tested"][condition.name] = key
        self.save()

    def save(self) -> None:
        write_whole(self.folder / "trial.json", json.dumps(self.figures, indent=1) + "\n")


class Arena:
    """The cached features in ``out``, of the speech encoder preferred there, and the trials made on them."""

    def __init__(
        self,
        out: Path,
        device: torch.device,
        budget: TrainingBudget,
        labels: Sequence[str],
        mix: Mix = terms.MIX,
        processes: int = 1,
    ) -> None:
        """labels: those of the contenders, in their order. processes: how many trials are trained at a time."""
        self.out, self.device, self.budget, self.labels, self.mix = out, device, budget, labels, mix
        self.processes = processes
        self.features = feature_files.folder_of(out, weights.preferred_speech_encoder(out / "weights"))
        paths = [self.features / f"{m}-{split}.safetensors" for m in MODALITIES for split in feature_files.SPLITS]
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            command = f"python -m train features --data DIR --out {out}"
            raise HFFError(say("features.missing", folder=self.features, files=", ".join(missing), command=command))
        self.fingerprint = fingerprint(set(paths))["sha256"]

    def split(self, name: str) -> PairedClips:
        return PairedClips(self.features, name, self.labels)

    @cached_property
    def pairs(self) -> PairedClips:
        return self.split("fusion")

    @cached_property
    def held(self) -> dict[str, list[Batch]]:
        """Validation clips, clean and mixed."""
        return training.validation_clips(self.split("validation"), self.mix)

    def tuned(self, contenders: list[Contender], tries: int) -> dict[str, list[Trial]]:
        """The trials of every contender at each of ``tries`` settings with the first seed, the best one first.

        Best is the validation score. A contender's own setting is its first try.
        """
        tried = [
            dataclasses.replace(contender, setting=setting)
            for contender in contenders
            for setting in settings(contender.setting, tries)
        ]
        done = by_name(self.trials(tried, self.budget.seeds[:1]))
        return {name: sorted(group, key=lambda trial: -trial.score) for name, group in done.items()}

    def trials(self, contenders: list[Contender], seeds: Sequence[int] | None = None) -> list[Trial]:
        """Every contender with every seed (of the budget), trained unless it has been."""
        wanted = [(contender, seed) for seed in seeds or self.budget.seeds for contender in contenders]
        waiting = [one for one in wanted if self.finished(*one) is None]
        if self.processes > 1 and len(waiting) > 1:
            self._train_together(waiting)
        done = []
        for number, (contender, seed) in enumerate(wanted, 1):
            if self.finished(contender, seed) is None:
                print(f"trial {number}/{len(wanted)}: {contender.name}, seed {seed}, {contender.setting}", flush=True)
            done.append(self.trial(contender, seed))
        return done

    def _train_together(self, waiting: list[tuple[Contender, int]]) -> None:
        """Train them in processes of their own, each with its share of the threads."""
        threads = max(1, torch.get_num_threads() // self.processes)
        arena = (self.out, self.device, self.budget, self.labels, self.mix)
        print(f"{len(waiting)} trials in {self.processes} processes", flush=True)
        for name in pool.each(_train_one, waiting, min(self.processes, len(waiting)), _enter, (arena, threads)):
            print(f"trained: {name}", flush=True)

    def finished(self, contender: Contender, seed: int) -> Trial | None:
        folder = self.folder_of(contender, seed)
        path = folder / "trial.json"
        return Trial(contender, seed, folder, json.loads(path.read_text())) if path.exists() else None

    def trial(self, contender: Contender, seed: int) -> Trial:
        found = self.finished(contender, seed)
        if found is not None:
            return found
        folder = self.folder_of(contender, seed)
        torch.manual_seed(seed)
        model = contender.build(contender.sized)
        seconds: list[float] = []
        best = fit(
            model,
            lambda epoch: self.batches(contender, seed, epoch, seconds),
            self.budget.batches,
            terms.loss,
            lambda model: training.validation(model, self.held, self.device),
            self.budget.plan(seed, contender.setting.learning_rate),
            folder,
            self.device,
        )
        (folder / "last.pt").unlink()  # three times the weights, and of no use any more
        batch = next(iter(self.batches(contender, seed, 0, [])))
        figures = {
            "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "bytes": training_bytes(model.train(), lambda: terms.loss(model, batch)),
            "seconds": min(seconds, default=None),
            "validation": best,
            "tested": {},
        }
        trial = Trial(contender, seed, folder, figures)
        trial.save()
        return trial

    def test(self, trials: list[Trial], conditions: list[Condition]) -> None:
        """Have every trial answer the clips of each condition, unless it has."""
        for number, condition in enumerate(conditions, 1):
            key = condition.key
            waiting = [trial for trial in trials if trial.figures["tested"].get(condition.name) != key]
            if not waiting:
                continue
            print(f"testing {number}/{len(conditions)}: {condition.name}", flush=True)
            clips = condition.clips()
            truth = robustness.targets(clips)
            for trial in waiting:
                p = robustness.probabilities(trial.model(self.device), clips, self.device, keep=condition.keep)
                trial.keep(condition, key, p.argmax(1), truth)

    def folder_of(self, contender: Contender, seed: int) -> Path:
        decides = {
            "name": contender.name,
            "config": contender.sized.to_dict(),
            "mix": dataclasses.asdict(self.mix),
            "plan": dataclasses.asdict(self.budget.plan(seed, contender.setting.learning_rate)),
            "batches": self.budget.batches,
            "code": code_of(contender.build),
            "features": self.fingerprint,
        }
        return self.out / "trials" / f"{contender.name.replace(' ', '-')}-{seed}-{_digest(decides)}"

    def batches(self, contender: Contender, seed: int, epoch: int, seconds: list[float]) -> Iterator[Batch]:
        """The batches of the fusion's own training; the time that the whole epoch took goes to ``seconds``."""
        plan = self.budget.plan(seed, contender.setting.learning_rate)
        begun = time.perf_counter()
        for batch in training.sampled(self.pairs, self.mix, plan, epoch, self.budget.batches):
            yield batch.to(self.device)
        seconds.append(time.perf_counter() - begun)


_arena: Arena | None = None  # of a process that trains for another one


def _enter(arena: tuple, threads: int) -> None:
    global _arena
    torch.set_num_threads(threads)
    _arena = Arena(*arena)


def _train_one(contender: Contender, seed: int) -> str:
    if _arena is None:
        raise RuntimeError("this process has not been given the features")
    return _arena.trial(contender, seed).folder.name


def matrices(group: list[Trial], condition: str, classes: int) -> np.ndarray:
    """What a model's seeds answered under a condition, as ``intervals.confusions``."""
    answers = [trial.answers()[condition].numpy() for trial in group]
    return confusions(np.stack([said for said, _ in answers]), answers[0][1], classes)


def code_of(build: Callable, training: Path = Path(terms.__file__)) -> str:
    """A digest of the source that decides what a training of the model that ``build`` makes comes to.

    That is the model's own module, the module ``training`` that trains it, and what of ``DECIDES`` these import, they
    or what they import: an edited rival is trained anew, and the others are not. What it is tested on has a key of its
    own (``Condition``).
    """
    found: set[Path] = set()
    waiting = {source_of(build), training}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imported(path) - found
    return source_digest(found)


def _imported(path: Path) -> set[Path]:
    """The modules of ``DECIDES`` that a file imports; a package's ``__init__`` decides nothing."""
    return _imported_by(path.read_bytes())


@cache
def _imported_by(source: bytes) -> set[Path]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
    wanted = {name for name in names if any(f"{name}.".startswith(f"{room}.") for room in DECIDES)}
    return {file for name in wanted if (file := _ROOT.joinpath(*name.split(".")).with_suffix(".py")).exists()}


_ROOT = Path(__file__).resolve().parents[2]


def source_of(function: Callable) -> Path:
    """The file that a function or class is written in."""
    return Path(str(sys.modules[function.__module__].__file__))


def source_digest(files: set[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _digest(decides: dict) -> str:
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:8]


def arena_from(options: argparse.Namespace, labels: Sequence[str]) -> Arena:
    """The arena and budget that were asked for on the command line; also sets the number of threads."""
    for name in ("seeds", "batches", "epochs", "tries", "threads", "processes"):
        value = getattr(options, name, None)
        if value is not None and value <= 0:
            raise HFFError(say("training.above_zero", option=f"--{name}", value=value))
    if options.threads:
        torch.set_num_threads(options.threads)
    first = options.seed or 0
    budget = TrainingBudget(
        options.epochs or TrainingBudget.epochs,
        options.batches or TrainingBudget.batches,
        tuple(range(first, first + options.seeds)),
    )
    return Arena(options.out, options.device, budget, labels, processes=options.processes)


def command_of(stage: str, budget: TrainingBudget, tries: int = 0) -> str:
    """The command line that makes a table of this budget."""
    first = f" --seed {budget.seeds[0]}" if budget.seeds[0] else ""
    search = f" --tries {tries}" if tries else ""
    return (
        f"python -m train {stage} --data DIR --out DIR --epochs {budget.epochs} --batches {budget.batches} "
        f"--seeds {len(budget.seeds)}{first}{search}"
    )


def by_name(trials: list[Trial]) -> dict[str, list[Trial]]:
    """The trials of each contender, in the order of the first ones."""
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(trial.contender.name, []).append(trial)
    return grouped


def summary(trials: list[Trial], conditions: Sequence[str], classes: int) -> dict[str, dict]:
    """Every figure of every trial, for a file."""
    return {
        name: {
            "config": group[0].contender.sized.to_dict(),
            "setting": dataclasses.asdict(group[0].contender.setting),
            "seeds": {
                str(trial.seed): trial.figures
                | {"test": {c: measured([trial], c, classes) for c in conditions if c in trial.figures["tested"]}}
                for trial in group
            },
        }
        for name, group in by_name(trials).items()
    }


def measured(group: list[Trial], condition: str, classes: int) -> dict[str, list[float]]:
    """Each seed's figures under a condition, by measure."""
    whole = matrices(group, condition, classes).sum(1)
    return {name: measure(whole).tolist() for name, measure in MEASURES.items()}
