"""The fusion's training on class-paired clips, then its calibration on validation clips.

``python -m train fusion --data DIR --out DIR`` ; needs the cached features. The plan is the paper's section
4.1 (AdamW, weight decay, clipping, batches of 64), but a cosine schedule from 5e-4 over six epochs with averaged
weights in place of ReduceLROnPlateau: on validation clips it was as good in a fifth of the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hff import weights
from hff.config import SPEECH_ENCODERS, HFFConfig
from hff.model.hff import HFF
from train.engine import parallel
from train.engine.loop import Plan, fit
from train.fusion import calibration, fit_novelty
from train.fusion.losses import fusion_loss
from train.fusion.pairing import CLEAN, Batch, Mix, PairedClips
from train.metrics import brier

PLAN = Plan(epochs=6, learning_rate=5e-4, schedule="cosine", average=0.995, patience=6, bf16=False)
BATCHES_PER_EPOCH = 100
AUGMENTED = 24  # of each batch's 64 clips, once more at other severities
VALIDATION_CLIPS = 700
VALIDATION_SEED = 4321


def fixed_clips(pairs: PairedClips, count: int, mix: Mix, seed: int) -> list[Batch]:
    """The same ``count`` clips, balanced over the labels, whenever asked with the same seed."""
    rng = np.random.default_rng(seed)
    choices = [pairs.choose(rng, mix, label=n % pairs.labels) for n in range(count)]
    return pairs.batches(choices, rng)


@torch.inference_mode()
def predict(model: HFF, clips: list[Batch], device: torch.device, **options) -> tuple[Tensor, Tensor]:
    """Probabilities (N,C) and targets (N,), on the CPU, without Monte Carlo noise."""
    outputs = [model(**clip.to(device).inputs(), with_attention=False, **options).probabilities.cpu() for clip in clips]
    return torch.cat(outputs), torch.cat([clip.target for clip in clips])


def sampled(pairs: PairedClips, mix: Mix, plan: Plan, epoch: int, count: int) -> Iterator[Batch]:
    """The ``count`` batches of an epoch: its clips, and the first ``AUGMENTED`` once more at other severities."""
    rng = np.random.default_rng([plan.seed, epoch])
    for _ in range(count):
        choices = [pairs.choose(rng, mix) for _ in range(plan.batch_size)]
        augmented = [pairs.augmented(choice, rng) for choice in choices[:AUGMENTED]]
        yield dataclasses.replace(pairs.collate(choices + augmented, rng), augmented=AUGMENTED)


def validation_clips(pairs: PairedClips, mix: Mix) -> dict[str, list[Batch]]:
    """Clips that choose the epoch, clean and mixed."""
    mixes = {"clean": CLEAN, "mixed": mix}
    return {
        name: fixed_clips(pairs, VALIDATION_CLIPS, kind, VALIDATION_SEED + n)
        for n, (name, kind) in enumerate(mixes.items())
    }


def validation(model: nn.Module, clips: dict[str, list[Batch]], device: torch.device) -> dict[str, float]:
    """Accuracy and Brier score of each kind of clips, and the score by which the best epoch is kept."""
    figures = {}
    for name, part in clips.items():
        p, target = predict(model, part, device)
        figures[f"{name}_accuracy"] = float((p.argmax(1) == target).float().mean())
        figures[f"{name}_brier"] = float(brier(p, target).mean())
    # The Brier score rewards being right and being honest about it.
    return {"score": 1 - sum(figures[f"{name}_brier"] for name in clips) / len(clips)} | figures


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """HFF's whole loss on a batch."""
    return fusion_loss(
        model,
        model(**batch.inputs(), samples=1, with_attention=False),
        batch.target,
        batch.present,
        batch.severity,
        batch.augmented,
        batch.teacher_logits,
        batch.own,
        batch.contradicts,
    )


def train(
    folder: Path,
    run: Path,
    device: torch.device,
    config: HFFConfig | None = None,
    plan: Plan = PLAN,
    mix: Mix | None = None,
) -> tuple[HFF, dict[str, float]]:
    """Train on the cached features in ``folder``; the run (log, checkpoints) goes to ``run``."""
    mix = mix or Mix()
    labels = (config or HFFConfig()).labels
    pairs, held = (PairedClips(folder, split, labels) for split in ("fusion", "validation"))
    clips = validation_clips(held, mix)
    torch.manual_seed(plan.seed)
    model = HFF(config)
    fit_novelty.fit_novelties(model, folder, pairs, held)
    print(f"fusion: {sum(p.numel() for p in model.parameters()):,} parameters, seed {plan.seed}", flush=True)

    def batches(epoch: int):
        for batch in sampled(pairs, mix, plan, epoch, BATCHES_PER_EPOCH):
            yield batch.to(device)

    best = fit(
        model, batches, BATCHES_PER_EPOCH, loss, lambda model: validation(model, clips, device), plan, run, device
    )
    return model, best


def train_and_export(
    data_features: Path, out: Path, device: torch.device, plan: Plan = PLAN, speech_encoder: str = SPEECH_ENCODERS[0]
) -> dict[str, float]:
    """The stage ``fusion``: train, calibrate, write ``out / "weights" / "fusion[-ENCODER].safetensors"``.

    The labels are those of the encoders there.
    """
    path = weights.part_path(out / "weights", "fusion", speech_encoder)
    labels = weights.stored_labels(weights.part_path(out / "weights", "speech", speech_encoder))
    config = HFFConfig(labels=labels, speech_encoder=speech_encoder)
    model, best = train(data_features, out / path.stem, device, config, plan)
    best = best | calibration.calibrate(model, data_features, device)
    if parallel.is_main():
        weights.save(path, model.state_dict(), model.config.to_dict(), half=False)
    return best
