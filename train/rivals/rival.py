"""What every rival shares: the interface of ``hff.model.hff.HFF``, masked means, networks of one modality, the loss.

Shapes use B clips, T steps, M = 3 modalities in the order of ``hff.config.MODALITIES``, C labels. Hidden sizes
grow with ``config.d_model``, so that one config sizes HFF and its rivals alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.config import HFFConfig
from train.fusion.losses import (
    FUSION_LABEL_SMOOTHING,
    STEP_WEIGHT,
    TEACHER_WEIGHT,
    answer_loss,
    cross_entropy,
    settled,
    teacher_probabilities,
)


@dataclass
class RivalOutput:
    """What a rival says; K = 1, since none of them draws Monte Carlo samples."""

    logits: Tensor  # (K,B,C)
    step_logits: Tensor | None = None  # (K,B,T,C), of the rivals that have a state at every step

    @property
    def probabilities(self) -> Tensor:
        """(B,C), float32."""
        return self.logits.float().softmax(-1).mean(0)


class Rival(nn.Module, ABC):
    """A fusion that takes HFF's inputs; a subclass only says how it fuses."""

    shallow: ClassVar[bool] = False  # a rule without hidden layers, of far fewer parameters than HFF

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.config = config

    def forward(
        self,
        speech: Tensor,
        text: Tensor,
        vision: Tensor,
        present: Tensor,
        *,
        samples: int = 0,
        generator: torch.Generator | None = None,
        alpha: Tensor | None = None,
        with_attention: bool = True,
        **more: Tensor,
    ) -> RivalOutput:
        """Fuse speech (B,T,d_s), text (B,T,d_t) and vision (B,T,d_v), present (B,T,M) bool, as ``HFF.forward``.

        Whatever stands in an absent place is ignored; padding is a step with nothing present. No rival draws
        samples, takes weights from outside or keeps maps, so the keywords that ask for them change nothing.
        """
        given = {"speech": speech, "text": text, "vision": vision} | more
        features = [given[name].masked_fill(~present[..., m, None], 0) for m, name in enumerate(self.config.dims)]
        logits, step_logits = self.fuse(features, present)
        return RivalOutput(logits[None], None if step_logits is None else step_logits[None])

    @abstractmethod
    def fuse(self, features: list[Tensor], present: Tensor) -> tuple[Tensor, Tensor | None]:
        """M tensors (B,T,d_m), absent places 0, and present (B,T,M) -> logits (B,C), step logits (B,T,C) or None."""


def mean_present(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x (B,T,d) over the steps where mask (B,T) holds, (B,d); 0 where it never holds."""
    return (x * mask[..., None]).sum(1) / mask.sum(1).clamp_min(1)[:, None]


def last_present(x: Tensor, mask: Tensor) -> Tensor:
    """x (B,T,d) at the last step where mask (B,T) holds, (B,d); 0 where it never holds."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    last = (steps * mask).argmax(1)
    return x[torch.arange(len(x), device=x.device), last] * mask.any(1, keepdim=True)


class MLP(nn.Sequential):
    """One hidden ReLU layer with dropout, (...,inputs) -> (...,outputs)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))


class MeanEncoder(nn.Module):
    """Mean over a modality's present steps, then ReLU layers: TFN's subnetwork of acoustics and of vision.

    The authors' code normalises by batch; layers are normalised here, so that a clip's reading does not depend on
    the clips beside it.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(inputs),
            nn.Dropout(dropout),
            nn.Linear(inputs, outputs),
            nn.ReLU(),
            nn.Linear(outputs, outputs),
            nn.ReLU(),
            nn.Linear(outputs, outputs),
            nn.ReLU(),
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B,T,inputs), mask (B,T) -> (B,outputs); 0 where the modality is absent."""
        return self.layers(mean_present(x, mask)) * mask.any(1, keepdim=True)


class RecurrentEncoder(nn.Module):
    """An LSTM over a modality's present steps, then a ReLU layer: TFN's subnetwork of language."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.cell = nn.LSTMCell(inputs, hidden)
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, outputs), nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B,T,inputs), mask (B,T) -> (B,outputs); 0 where the modality is absent."""
        x = self.norm(x)
        state = (x.new_zeros(len(x), self.cell.hidden_size),) * 2
        for t in range(x.shape[1]):
            state = masked_step(self.cell, x[:, t], state, mask[:, t])
        return self.out(state[0]) * mask.any(1, keepdim=True)


def masked_step(cell: nn.LSTMCell, x: Tensor, state: tuple[Tensor, Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM on x (B,d), whose state (h, c) passes unchanged where mask (B,) does not hold."""
    h, c = cell(x, state)
    there = mask[:, None]
    return torch.where(there, h, state[0]), torch.where(there, c, state[1])


class TensorEncoders(nn.Module):
    """TFN's three subnetworks, which LMF uses too: z_m of each modality with a 1 behind it."""

    def __init__(self, config: HFFConfig, size: int) -> None:
        super().__init__()
        speech, text, vision = config.input_dims
        self.encoders = nn.ModuleList(
            [
                MeanEncoder(speech, size, config.dropout),
                RecurrentEncoder(text, config.d_model, size, config.dropout),
                MeanEncoder(vision, size, config.dropout),
            ]
        )

    def forward(self, features: list[Tensor], present: Tensor) -> list[Tensor]:
        """M tensors (B,T,d_m), present (B,T,M) -> M tensors [z_m; 1] (B,size+1); z_m is 0 where m is absent."""
        return [
            F.pad(encoder(x, present[..., m]), (0, 1), value=1.0)
            for m, (x, encoder) in enumerate(zip(features, self.encoders, strict=True))
        ]


def rival_loss(
    output: RivalOutput,
    target: Tensor,
    present: Tensor,
    severity: Tensor | None = None,
    teacher_logits: Tensor | None = None,
    contradicts: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the emotion, and of every step where the rival has step logits, weighed as HFF's own loss.

    target (B,), present (B,T,M) -> scalar. With severity (B,T,M) and teacher_logits (B,T,M,C) the encoders' own heads
    teach the answer to clips of one modality, as they teach HFF; where a clip contradicts itself (B,), they teach it
    together.
    """
    classes = output.logits.shape[-1]
    wanted = F.one_hot(target, classes).float() * (1 - FUSION_LABEL_SMOOTHING) + FUSION_LABEL_SMOOTHING / classes
    if contradicts is not None and teacher_logits is not None:
        share = present.sum(1) / present.sum(1).clamp_min(1)
        together = settled(teacher_probabilities(teacher_logits, present), share)
        wanted = torch.where(contradicts[:, None], together, wanted)
    loss = cross_entropy(output.logits[0].float(), wanted).mean()
    if output.step_logits is not None:
        valid = present.any(-1)
        by_step = wanted[:, None].expand(*valid.shape, -1)
        loss = loss + STEP_WEIGHT * cross_entropy(output.step_logits[0].float(), by_step)[valid].mean()
    if severity is not None and teacher_logits is not None:
        loss = loss + TEACHER_WEIGHT * answer_loss(output.logits[0], teacher_logits, present, severity)
    return loss
