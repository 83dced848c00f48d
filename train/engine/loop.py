"""The one training loop: AdamW, warm-up and cosine decay, clipping, early stop, resume, log and ETA.

A run lives in one folder: ``last.pt`` (everything needed to go on), ``best.safetensors`` (the weights
with the best validation score) and what ``train.engine.record`` writes: ``run.json``, ``log.csv``, ``curve.png``. A run
that finds ``last.pt`` goes on after the last whole epoch, so a kill costs at most that epoch; every file is
written whole or not at all. Several processes share each batch (``train.engine.parallel``).
"""

from __future__ import annotations

import functools
import math
import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from hff.device import multiplies_bfloat16
from hff.errors import HFFError
from hff.locale import say
from train.engine import learning_curve, parallel, record, whole_files
from train.engine.prefetch import ahead

REPORT_SECONDS = 20.0  # between two progress lines
CURVE_SECONDS = 60.0  # between two drawings of the learning curve; the last epoch's is always drawn


class TrainingError(HFFError):
    """A run that cannot go on, or never came to anything."""


@dataclass(frozen=True)
class Plan:
    """How to train. Defaults are the paper's section 4.1 where it says anything."""

    epochs: int = 50
    learning_rate: float = 3e-4
    weight_decay: float = 0.01
    batch_size: int = 64
    patience: int = 5  # epochs without improvement before stopping
    clip_norm: float = 1.0
    warmup: float = 0.05  # share of all steps
    schedule: str = "plateau"  # or "cosine"
    cycles: tuple[int, ...] = ()  # epochs of each cosine cycle (warm restarts, Loshchilov & Hutter 2017); () for one
    average: float = 0.0  # decay of an exponential moving average of the weights; 0 for none
    bf16: bool = True
    seed: int = 0
    slow: str = ""  # what the names of parameters begin with that learn more slowly, such as pre-trained layers
    slow_rate: float = 1.0  # how much more slowly
    compiled: bool = False  # whether PyTorch compiles the model first (``torch.compile``)

    def cycle(self, step: float, per_epoch: int) -> tuple[float, int]:
        """The cosine cycle that ``step`` is in: share of it that is over (0 to 1), and its length in steps."""
        lengths = [epochs * per_epoch for epochs in self.cycles or (self.epochs,)]
        for length in lengths[:-1]:
            if step < length:
                return step / length, length
            step -= length
        return min(1.0, step / lengths[-1]), lengths[-1]


class WeightAverage:
    """Exponential moving average of a model's floating-point state."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


@functools.cache
def fast_bf16(device_type: str) -> bool:
    """Whether bfloat16 gains: on GPUs and CPUs that have it."""
    if device_type == "cpu":
        return multiplies_bfloat16()
    return device_type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def autocast(device: torch.device, enabled: bool) -> torch.autocast:
    """bfloat16 autocast where it gains."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and fast_bf16(device.type))


def fit(
    model: nn.Module,
    batches: Callable[[int], Iterable],
    batches_per_epoch: int,
    loss: Callable[[Any, Any], Tensor],  # of the model and a batch
    validate: Callable[[Any], dict[str, float]],  # of the model
    plan: Plan,
    folder: Path,
    device: torch.device,
    done: int = 0,
) -> dict[str, float]:
    """Train and leave the best weights in ``folder / "best.safetensors"``, and in ``model``.

    batches(epoch) yields the epoch's batches; loss(model, batch) gives a scalar; validate(model) gives
    figures, of which "score" (more is better) chooses the best epoch. ``done`` epochs of the plan are behind
    a model that comes with weights. Returns the best epoch's figures. A loss or score that is no number, and a
    checkpoint that does not fit, raise ``TrainingError``.
    """
    run = _Run(model, plan, folder, device, batches_per_epoch, done)
    run.resume()
    if plan.compiled:
        model.compile()  # in place: names and tensors stay
    objective = parallel.objective(model, loss, device)
    while run.epoch < plan.epochs and run.bad < plan.patience:
        mean_loss = _one_epoch(run, objective, ahead(batches(run.epoch), device))
        run.end_epoch(mean_loss, validate)
    return run.finish()


def _one_epoch(run: _Run, objective: Callable[[object], Tensor], batches: Iterable) -> float:
    """Train on every batch; returns the mean loss."""
    torch.manual_seed(run.plan.seed * 1000 + run.epoch + parallel.rank() * parallel.SEED_STRIDE)
    run.model.train()
    # Summed where it is: asking for its value would make a GPU wait at every step.
    losses, number = torch.zeros((), device=run.device), 0
    for number, whole in enumerate(batches, 1):
        batch, weight = parallel.shard(whole)
        with autocast(run.device, run.plan.bf16):
            value = objective(batch)
        (value * weight if weight != 1 else value).backward()
        run.step()
        losses += value.detach() * weight
        run.report(number, losses)
    mean_loss = float(parallel.mean(losses)) / max(number, 1)
    if not math.isfinite(mean_loss):
        raise TrainingError(say("training.loss", run=run.folder.name, epoch=run.epoch + 1, loss=mean_loss))
    return mean_loss


class _Run:
    """Where a training stands: what its folder holds, and what it takes to go on."""

    def __init__(
        self, model: nn.Module, plan: Plan, folder: Path, device: torch.device, per_epoch: int, done: int
    ) -> None:
        self.model, self.plan, self.folder, self.device = model.to(device), plan, folder, device
        self.per_epoch, self.epoch, self.bad = per_epoch, done, 0
        self.best: dict[str, float] = {}
        self.optimizer = torch.optim.AdamW(_groups(model, plan), lr=plan.learning_rate, weight_decay=plan.weight_decay)
        self.scheduler = _scheduler(self.optimizer, plan, per_epoch, done)
        self.average = WeightAverage(model, plan.average) if plan.average else None
        self.begun = self.reported = time.monotonic()
        self.drawn, self.steps_done = self.begun, 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "last.pt"

    def resume(self) -> None:
        """Go on from ``last.pt`` if there is one; drop what the log says of an epoch that was not kept."""
        state = self._stored() if parallel.is_main() else None
        state = parallel.broadcast(state, self.device)
        if state:
            try:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
            except (RuntimeError, ValueError) as error:
                other = say("training.other_model", path=self.checkpoint, folder=self.folder)
                raise TrainingError(other) from error
            self.scheduler.load_state_dict(state["scheduler"])
            self.best, self.epoch, self.bad = state["best"], state["epoch"] + 1, state["bad"]
            if self.average:
                self.average.state = {name: value.to(self.device) for name, value in state["average"].items()}
                self.average.updates = state["updates"]
            print(f"resuming {self.folder.name} after epoch {self.epoch}", flush=True)
        if parallel.is_main():
            rows = record.read_log(self.folder)
            record.write_log(self.folder, [row for row in rows if int(row["epoch"]) <= self.epoch and state])
            config = self.model.config.to_dict() if hasattr(self.model, "config") else None
            record.write_run(self.folder, self.plan, config, str(self.device), parallel.size())

    def _stored(self) -> dict | None:
        if not self.checkpoint.exists():
            return None
        try:
            return torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(say("training.damaged", path=self.checkpoint)) from error

    def step(self) -> None:
        nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.plan.schedule == "cosine":
            self.scheduler.step()
        if self.average:
            self.average.update(self.model)
        self.steps_done += 1

    def report(self, number: int, losses: Tensor) -> None:
        """A progress line, now and then."""
        now = time.monotonic()
        if now - self.reported <= REPORT_SECONDS:
            return
        self.reported = now
        steps = (self.plan.epochs - self.epoch) * self.per_epoch - number
        left = (now - self.begun) / self.steps_done * steps
        best = f"best {self.best['score']:.4f} " if self.best else ""  # none before the first epoch has ended
        print(
            f"{self.folder.name} epoch {self.epoch + 1}/{self.plan.epochs} batch {number}/{self.per_epoch} "
            f"loss {float(losses) / number:.4f} {best}at most {left / 60:.1f} min left",
            flush=True,
        )

    def end_epoch(self, mean_loss: float, validate: Callable[[nn.Module], dict[str, float]]) -> None:
        """Validate (the leader alone), keep the weights if they are the best so far, log, and save where it stands."""
        trained = {name: value.clone() for name, value in self.model.state_dict().items()}
        if self.average:
            self.model.load_state_dict(self.average.state)
        figures: dict[str, float] = {}
        if parallel.is_main():
            self.model.eval()
            with torch.no_grad():
                figures = {"epoch": self.epoch + 1, "loss": mean_loss} | validate(self.model)
        figures = parallel.broadcast(figures, self.device)
        if not math.isfinite(figures["score"]):
            raise TrainingError(say("training.score", run=self.folder.name, epoch=self.epoch + 1))
        better = figures["score"] > self.best.get("score", -math.inf)
        self.best, self.bad = (figures, 0) if better else (self.best, self.bad + 1)
        if better and parallel.is_main():
            state = {name: value.contiguous() for name, value in self.model.state_dict().items()}
            whole_files.write_whole(self.folder / "best.safetensors", save(state))
        if self.plan.schedule == "plateau":
            self.scheduler.step(figures["score"])
        self.model.load_state_dict(trained)
        if parallel.is_main():
            self._log(figures)
            self._save()
        self.epoch += 1

    def _log(self, figures: dict[str, float]) -> None:
        print(" ".join(f"{k}={v:.4f}" if isinstance(v, float) else f"{k}={v}" for k, v in figures.items()), flush=True)
        minutes = round((time.monotonic() - self.begun) / 60, 2)
        record.write_log(self.folder, [*record.read_log(self.folder), figures | {"minutes": minutes}])
        if time.monotonic() - self.drawn > CURVE_SECONDS:
            learning_curve.draw_curve(self.folder)
            self.drawn = time.monotonic()

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "best": self.best,
            "epoch": self.epoch,
            "bad": self.bad,
        }
        if self.average:
            state |= {"average": self.average.state, "updates": self.average.updates}
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def finish(self) -> dict[str, float]:
        """The best weights into the model; the best epoch's figures."""
        best = None
        if parallel.is_main():
            if not self.best:
                raise TrainingError(say("training.no_epoch", run=self.folder.name, epochs=self.plan.epochs))
            if self.steps_done:
                learning_curve.draw_curve(self.folder)
            best = load_file(self.folder / "best.safetensors")
        self.model.load_state_dict(parallel.broadcast(best, self.device))
        self.model.eval()
        return self.best


def _groups(model: nn.Module, plan: Plan) -> list[dict]:
    """The parameters to train, those that learn more slowly apart."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    slow = [p for name, p in trained.items() if plan.slow and name.startswith(plan.slow)]
    others = [p for name, p in trained.items() if not plan.slow or not name.startswith(plan.slow)]
    groups: list[dict] = [{"params": others}, {"params": slow, "lr": plan.slow_rate * plan.learning_rate}]
    return [group for group in groups if group["params"]]


def _scheduler(
    optimizer: torch.optim.Optimizer, plan: Plan, per_epoch: int, done: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The paper's ReduceLROnPlateau (stepped by epoch), or warm-up and cosine decay (stepped by batch)."""
    if plan.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.3, patience=1)

    def rate(step: int) -> float:
        share, length = plan.cycle(step + done * per_epoch, per_epoch)
        warmup = max(1, int(plan.warmup * length))
        return min(1.0, (share * length + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * share))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
