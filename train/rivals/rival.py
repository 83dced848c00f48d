"""What every rival shares: the interface of ``hff.model.hff.HFF``, masked means, networks of one modality, the loss.

Shapes use B clips, T steps, M = 3 modalities in the order of ``hff.config.MODALITIES``, C labels. Hidden sizes
grow with ``config.d_model``, so that one config sizes HFF and its rivals alike.

Every rival reads two kinds of sequences. A clip gets one answer. In a dialogue, where ``speakers`` says whose each step
is, a step is an utterance and each gets its own, from the whole sequence, or with ``config.past_only`` from what has
been said so far.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.config import HFFConfig
from train.fusion.losses import FUSION_LABEL_SMOOTHING

Answer: TypeAlias = Tensor | tuple[Tensor, Tensor]  # logits, or logits and what the rival's paper adds to the loss


@dataclass
class RivalOutput:
    """What a rival says; K = 1, since none of them draws Monte Carlo samples."""

    logits: Tensor  # (K,B,C); of a dialogue the mean over its utterances
    step_logits: Tensor | None = None  # (K,B,T,C), of a dialogue
    auxiliary: Tensor | None = None  # scalar that the rival's paper adds to the loss of the labels

    @property
    def probabilities(self) -> Tensor:
        """(B,C), float32."""
        return self.logits.float().softmax(-1).mean(0)


class Rival(nn.Module, ABC):
    """A fusion that takes HFF's inputs; a subclass only says how it fuses."""

    shallow: ClassVar[bool] = False  # a rule without hidden layers, of far fewer parameters than HFF
    conversational: ClassVar[bool] = False  # made for dialogues: what it is shows only where people take turns

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
        speakers: Tensor | None = None,
        **more: Tensor,
    ) -> RivalOutput:
        """Fuse speech (B,T,d_s), text (B,T,d_t) and vision (B,T,d_v), present (B,T,M) bool, as ``HFF.forward``.

        Whatever stands in an absent place is ignored; padding is a step with nothing present. speakers (B,T) int64: who
        says each step of a dialogue; without it the steps are those of one clip. No rival draws samples, takes weights
        from outside or keeps maps, so the keywords that ask for them change nothing.
        """
        given = {"speech": speech, "text": text, "vision": vision} | more
        features = [given[name].masked_fill(~present[..., m, None], 0) for m, name in enumerate(self.config.dims)]
        said = self.fuse(features, present, speakers)
        logits, auxiliary = said if isinstance(said, tuple) else (said, None)
        if speakers is None:
            return RivalOutput(logits[None], None, auxiliary)
        return RivalOutput(mean_present(logits, present.any(-1))[None], logits[None], auxiliary)

    @abstractmethod
    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Answer:
        """M tensors (B,T,d_m), absent places 0, present (B,T,M), speakers (B,T) of a dialogue.

        Returns logits (B,C) of a clip, (B,T,C) of a dialogue's steps; with an auxiliary loss where the paper has one.
        """


def mean_present(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x (B,T,d) over the steps where mask (B,T) holds, (B,d); 0 where it never holds."""
    return (x * mask[..., None]).sum(1) / mask.sum(1).clamp_min(1)[:, None]


def largest_present(x: Tensor, mask: Tensor) -> Tensor:
    """Maximum of each number of x (B,T,d) over the steps where mask (B,T) holds, (B,d); 0 where it never holds."""
    largest = x.masked_fill(~mask[..., None], -torch.inf).amax(1)
    return torch.where(mask.any(1, keepdim=True), largest, torch.zeros_like(largest))


def last_present(x: Tensor, mask: Tensor) -> Tensor:
    """x (B,T,d) at the last step where mask (B,T) holds, (B,d); 0 where it never holds."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    last = (steps * mask).argmax(1)
    return x[torch.arange(len(x), device=x.device), last] * mask.any(1, keepdim=True)


def means_around(x: Tensor, mask: Tensor, past_only: bool) -> Tensor:
    """At every step the mean of x (B,T,d) over the present steps of the sequence, or of those up to it: (B,T,d)."""
    if not past_only:
        return mean_present(x, mask)[:, None].expand_as(x)
    return (x * mask[..., None]).cumsum(1) / mask.cumsum(1).clamp_min(1)[..., None]


def seen(mask: Tensor, past_only: bool) -> Tensor:
    """Which steps each step may look at: mask (B,T) -> (B,T,T), row looks at column."""
    every = mask[:, None].expand(-1, mask.shape[1], -1)
    return every.tril() if past_only else every


class MLP(nn.Sequential):
    """One hidden ReLU layer with dropout, (...,inputs) -> (...,outputs)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))


class MeanEncoder(nn.Module):
    """Mean over a modality's present steps, then ReLU layers: TFN's subnetwork of acoustics and of vision.

    Of a dialogue each utterance passes the layers. The authors' code normalises by batch; layers are normalised here,
    so that a clip's reading does not depend on the clips beside it.
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

    def forward(self, x: Tensor, mask: Tensor, each: bool = False) -> Tensor:
        """x (B,T,inputs), mask (B,T) -> (B,outputs), or (B,T,outputs) of each step; 0 where the modality is absent."""
        if each:
            return self.layers(x) * mask[..., None]
        return self.layers(mean_present(x, mask)) * mask.any(1, keepdim=True)


class MaskedLSTM(nn.Module):
    """An LSTM over present steps only, in both directions or forwards; the state passes absent ones unchanged."""

    def __init__(self, inputs: int, hidden: int, both_ways: bool) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.backwards = nn.LSTM(inputs, hidden, batch_first=True) if both_ways else None
        self.size = hidden * (1 + both_ways)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x (B,T,inputs), mask (B,T) -> states (B,T,size), and (B,size) when all is read; 0 before anything is."""
        count, read = mask.sum(1, keepdim=True), mask.cumsum(1)
        order = (~mask).int().argsort(dim=1, stable=True)  # the present steps first
        close = x.gather(1, order[..., None].expand_as(x))
        states = _after(self.forwards(close)[0], read)
        if self.backwards is None:
            return states, states[:, -1]
        turned = (count - 1 - torch.arange(x.shape[1], device=x.device)) % x.shape[1]
        from_the_end = close.gather(1, turned[..., None].expand_as(x))
        back = _after(self.backwards(from_the_end)[0], count - read + mask)
        return torch.cat([states, back], -1), torch.cat([states[:, -1], back[:, 0]], -1)


def _after(states: Tensor, read: Tensor) -> Tensor:
    """The state after ``read`` (B,T) of the steps, from states (B,T,d) after each one; 0 where none was read."""
    place = (read - 1).clamp_min(0)
    return states.gather(1, place[..., None].expand(-1, -1, states.shape[-1])) * (read > 0)[..., None]


class RecurrentEncoder(nn.Module):
    """An LSTM over a modality's present steps, then a ReLU layer: TFN's subnetwork of language.

    It reads in both directions, so that of a dialogue each utterance is read in the whole of it.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float, both_ways: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.lstm = MaskedLSTM(inputs, hidden, both_ways)
        self.out = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.lstm.size, outputs), nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor, each: bool = False) -> Tensor:
        """x (B,T,inputs), mask (B,T) -> (B,outputs), or (B,T,outputs) of each step; 0 where the modality is absent."""
        states, final = self.lstm(self.norm(x), mask)
        return self.out(states) * mask[..., None] if each else self.out(final) * mask.any(1, keepdim=True)


def masked_step(cell: nn.LSTMCell, x: Tensor, state: tuple[Tensor, Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM on x (B,d), whose state (h, c) passes unchanged where mask (B,) does not hold."""
    h, c = cell(x, state)
    there = mask[:, None]
    return torch.where(there, h, state[0]), torch.where(there, c, state[1])


class TensorEncoders(nn.Module):
    """TFN's three subnetworks, which LMF uses too: z_m of each modality with a 1 behind it.

    ``sizes`` are the paper's 32, 128 and 32 at a ``d_model`` of 256, in proportion below, and never fewer than 16, 32
    and 16.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        speech, text, vision = config.input_dims
        heard, written = max(16, config.d_model // 8), max(32, config.d_model // 2)
        self.sizes = (heard, written, heard)
        self.encoders = nn.ModuleList(
            [
                MeanEncoder(speech, heard, config.dropout),
                RecurrentEncoder(text, written, written, config.dropout, not config.past_only),
                MeanEncoder(vision, heard, config.dropout),
            ]
        )

    def forward(self, features: list[Tensor], present: Tensor, each: bool) -> list[Tensor]:
        """M tensors (B,T,d_m), present (B,T,M) -> M tensors [z_m; 1] (B,size+1), or (B,T,size+1) of each step.

        z_m is 0 where m is absent.
        """
        return [
            F.pad(encoder(x, present[..., m], each), (0, 1), value=1.0)
            for m, (x, encoder) in enumerate(zip(features, self.encoders, strict=True))
        ]


def rival_loss(output: RivalOutput, target: Tensor) -> Tensor:
    """Cross-entropy of the emotion, labels smoothed as in HFF's own loss, and what the rival's paper adds to it.

    target (B,) -> scalar.
    """
    loss = F.cross_entropy(output.logits[0].float(), target, label_smoothing=FUSION_LABEL_SMOOTHING)
    return loss if output.auxiliary is None else loss + output.auxiliary
