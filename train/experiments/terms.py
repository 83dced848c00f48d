"""The terms on which every model of a comparison is trained: budget, batches, and what it is told.

A model is told the features, which modality is present, and the label of the clip. None is told how badly an input was
corrupted, what the encoders' own heads say, which label a single modality's item has, or what is strange, though the
shipped HFF learned from all four; and there are no clips of modalities that contradict each other, since these have no
label. HFF's unimodal heads, its sigma^2 and its alpha learn from the clip's label too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hff.model.hff import HFF
from train.engine.loop import Plan
from train.fusion.losses import fusion_loss
from train.fusion.pairing import Batch, Mix
from train.rivals.rival import rival_loss

MIX = Mix(contradiction=0)


@dataclass(frozen=True)
class TrainingBudget:
    """What every trial may spend. No early stop: equal work for all; the best epoch is kept all the same."""

    epochs: int = 8
    batches: int = 40  # an epoch, of 64 clips and ``training.AUGMENTED`` of them again
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def plan(self, seed: int, learning_rate: float) -> Plan:
        return Plan(
            epochs=self.epochs,
            learning_rate=learning_rate,
            patience=self.epochs,
            schedule="cosine",
            bf16=False,
            seed=seed,
        )


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """HFF's whole loss for HFF, but for what it takes severities and teachers for; a rival's own for a rival."""
    output = model(**batch.inputs(), samples=1, with_attention=False)
    if isinstance(model, HFF):
        return fusion_loss(model, output, batch.target, batch.present, torch.zeros_like(batch.severity), augmented=0)
    return rival_loss(output, batch.target)
