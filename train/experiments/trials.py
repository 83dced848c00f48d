"""Models trained on equal terms and tested on the same clips: what ``compare`` and ``ablate`` are made of.

A trial is one model with one seed. All trials of a budget see the same batches in the same order, with the same
optimiser; each keeps its epoch with the best validation score, and only then meets test clips. A trial lives in a
folder of ``OUT/trials`` named after everything that decides its outcome, so that nothing is trained twice, a killed
command goes on where it stopped, and other features or another budget begin anew. What was measured of it stands there
with the key of the condition, so that other test clips are measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import hff.config
import hff.modalities
import hff.model
import train.engine.loop
import train.fusion
import train.rivals.rival
from hff import weights
from hff.config import MODALITIES, HFFConfig
from hff.errors import HFFError
from hff.model.hff import HFF
from train import metrics
from train.engine.data_files import fingerprint
from train.engine.loop import Plan, fit
from train.engine.whole_files import write_whole
from train.evaluation import robustness
from train.fusion import feature_files, novelty, training
from train.fusion.pairing import Batch, Mix, PairedClips
from train.rivals import rival_loss


@dataclass(frozen=True)
class TrainingBudget:
    """What every trial may spend. No early stop: equal work for all; the best epoch is kept all the same."""

    epochs: int = 12
    batches: int = 40  # an epoch, of 64 clips and ``training.AUGMENTED`` of them again
    learning_rate: float = 3e-4
    seeds: tuple[int, ...] = (0, 1, 2)

    def plan(self, seed: int) -> Plan:
        return Plan(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            patience=self.epochs,
            schedule="cosine",
            bf16=False,
            seed=seed,
        )


@dataclass(frozen=True)
class Contender:
    """A model by name; ``build`` gets the config."""

    name: str
    build: Callable[[HFFConfig], nn.Module] = HFF
    config: HFFConfig = field(default_factory=HFFConfig)


@dataclass(frozen=True)
class Condition:
    """Test clips, made when they are asked for, and the modalities of them that a model gets to see."""

    name: str
    clips: Callable[[], list[Batch]]
    keep: Sequence[str] = MODALITIES

    @property
    def key(self) -> str:
        """Names all that decides which clips these are: the code that makes them, how many, what is kept of them."""
        code = source_digest({source_of(self.clips), Path(robustness.__file__), Path(metrics.__file__)})
        return _digest({"code": code, "keep": list(self.keep), "clips": robustness.CLIPS})


@dataclass
class Trial:
    """A finished training, and what was measured of it so far."""

    contender: Contender
    seed: int
    folder: Path
    # parameters, seconds of the fastest epoch (None unless seen), validation, test by condition, and under "tested"
    # the key of the condition that each was measured under
    figures: dict

    def model(self, device: torch.device) -> nn.Module:
        model = self.contender.build(self.contender.config)
        model.load_state_dict(load_file(self.folder / "best.safetensors"))
        return model.to(device).eval()

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
        mix: Mix | None = None,
    ) -> None:
        """labels: those of the contenders, in their order."""
        self.out, self.device, self.budget, self.labels, self.mix = out, device, budget, labels, mix or Mix()
        self.features = feature_files.folder_of(out, weights.preferred_speech_encoder(out / "weights"))
        paths = [self.features / f"{m}-{split}.safetensors" for m in MODALITIES for split in feature_files.SPLITS]
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            raise HFFError(
                f"{self.features} has no {', '.join(missing)}; make them with "
                f"python -m train features --data DIR --out {out}"
            )
        strange = self.features.glob("*-strange-*.safetensors")  # what novelty is told from
        self.fingerprint = fingerprint({*paths, *strange})["sha256"]

    def split(self, name: str) -> PairedClips:
        return PairedClips(self.features, name, self.labels)

    @cached_property
    def pairs(self) -> PairedClips:
        return self.split("fusion")

    @cached_property
    def held(self) -> dict[str, list[Batch]]:
        """Validation clips, clean and mixed."""
        return training.validation_clips(self.split("validation"), self.mix)

    def trials(self, contenders: list[Contender]) -> list[Trial]:
        """Every contender with every seed of the budget, trained unless it has been."""
        wanted = [(contender, seed) for seed in self.budget.seeds for contender in contenders]
        done = []
        for number, (contender, seed) in enumerate(wanted, 1):
            print(f"trial {number}/{len(wanted)}: {contender.name}, seed {seed}", flush=True)
            done.append(self.trial(contender, seed))
        return done

    def trial(self, contender: Contender, seed: int) -> Trial:
        folder = self.folder_of(contender, seed)
        finished = folder / "trial.json"
        if finished.exists():
            return Trial(contender, seed, folder, json.loads(finished.read_text()))
        torch.manual_seed(seed)
        model = contender.build(contender.config)
        if isinstance(model, HFF) and model.config.bounded:
            novelty.fit(model, self.features, self.pairs, self.split("validation"))
        seconds: list[float] = []
        best = fit(
            model,
            lambda epoch: self._batches(seed, epoch, seconds),
            self.budget.batches,
            _loss,
            self._validate,
            self.budget.plan(seed),
            folder,
            self.device,
        )
        (folder / "last.pt").unlink()  # three times the weights, and of no use any more
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        fastest = min(seconds, default=None)
        figures = {"parameters": parameters, "seconds": fastest, "validation": best, "test": {}, "tested": {}}
        trial = Trial(contender, seed, folder, figures)
        trial.save()
        return trial

    def measure(self, trials: list[Trial], conditions: list[Condition]) -> None:
        """Fill in each trial's accuracy and macro F1 under each condition, unless they were measured under it."""
        for number, condition in enumerate(conditions, 1):
            key = condition.key
            waiting = [trial for trial in trials if trial.figures["tested"].get(condition.name) != key]
            if not waiting:
                continue
            print(f"testing {number}/{len(conditions)}: {condition.name}", flush=True)
            clips = condition.clips()
            for trial in waiting:
                p = robustness.probabilities(trial.model(self.device), clips, self.device, keep=condition.keep)
                trial.figures["test"][condition.name] = robustness.accuracy(p, robustness.targets(clips))
                trial.figures["tested"][condition.name] = key
                trial.save()

    def folder_of(self, contender: Contender, seed: int) -> Path:
        decides = {
            "name": contender.name,
            "config": contender.config.to_dict(),
            "mix": dataclasses.asdict(self.mix),
            "plan": dataclasses.asdict(self.budget.plan(seed)),
            "batches": self.budget.batches,
            "code": code_of(contender.build),
            "features": self.fingerprint,
        }
        return self.out / "trials" / f"{contender.name.replace(' ', '-')}-{seed}-{_digest(decides)}"

    def _batches(self, seed: int, epoch: int, seconds: list[float]) -> Iterator[Batch]:
        """The batches of the fusion's own training; the time that the whole epoch took goes to ``seconds``."""
        begun = time.perf_counter()
        for batch in training.sampled(self.pairs, self.mix, self.budget.plan(seed), epoch, self.budget.batches):
            yield batch.to(self.device)
        seconds.append(time.perf_counter() - begun)

    def _validate(self, model: nn.Module) -> dict[str, float]:
        return training.validation(model, self.held, self.device)


def code_of(build: Callable) -> str:
    """A digest of the source that decides what a trial of the model that ``build`` makes comes to.

    That is the model's own module, what all models share, and the training: an edited rival is trained anew. What it is
    tested on has a key of its own (``Condition``).
    """
    files = {source_of(build), Path(__file__), Path(metrics.__file__)}
    for package in (hff.model, train.rivals.rival, train.fusion, train.engine.loop, hff.config, hff.modalities):
        own = Path(str(package.__file__))
        files |= set(own.parent.glob("*.py")) if own.name == "__init__.py" else {own}
    return source_digest(files)


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


def _loss(model: nn.Module, batch: Batch) -> Tensor:
    """HFF's whole loss for HFF, a rival's own for a rival."""
    if isinstance(model, HFF):
        return training.loss(model, batch)
    output = model(**batch.inputs(), samples=1, with_attention=False)
    return rival_loss(output, batch.target)


def budget_from(options: argparse.Namespace) -> TrainingBudget:
    """The budget that was asked for on the command line; also sets the number of threads."""
    if options.threads:
        torch.set_num_threads(options.threads)
    first = options.seed or 0
    asked = {"epochs": options.epochs, "batches": options.batches, "learning_rate": options.learning_rate}
    for name, value in (asked | {"seeds": options.seeds}).items():
        if value is not None and value <= 0:
            raise HFFError(f"--{name.replace('_', '-')} must be above 0, got {value}.")
    given = {name: value for name, value in asked.items() if value is not None}
    return TrainingBudget(**given, seeds=tuple(range(first, first + options.seeds)))


def by_name(trials: list[Trial]) -> dict[str, list[Trial]]:
    """The trials of each contender, in the order of the first ones."""
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(trial.contender.name, []).append(trial)
    return grouped


def summary(trials: list[Trial]) -> dict[str, dict]:
    """Every figure of every trial, for a file."""
    return {
        name: {"config": group[0].contender.config.to_dict(), "seeds": {str(t.seed): t.figures for t in group}}
        for name, group in by_name(trials).items()
    }
