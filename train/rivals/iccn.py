"""Interaction Canonical Correlation Network: text-based audio and text-based video, made to correlate.

Z. Sun, P. Sarma, W. Sethares, Y. Liang: "Learning Relationships between Text, Audio, and Video via Deep Canonical
Correlation for Multimodal Language Analysis", AAAI 2020; deep canonical correlation analysis is that of G. Andrew,
R. Arora, J. Bilmes, K. Livescu, ICML 2013. Other than there: the features are projected before the outer product, whose
side would else be the text's 768; no convolution over time stands before the LSTMs, since a step is half a second or an
utterance, not a frame; correlation and labels are learned together, not one after the other; an absent modality has
K = 0, and a clip without both pairs counts for no correlation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from train.rivals.rival import MLP, MaskedLSTM, Rival, mean_present

CORRELATION_WEIGHT = 0.1  # of the mean canonical correlation, beside the loss of the labels
RIDGE = 1e-3  # added to the covariances' diagonals
CHANNELS = (4, 8)  # of the two convolutions


class InverseRoot(torch.autograd.Function):
    """S -> S^(-1/2) of a symmetric positive definite matrix (d,d), by its eigenvalues.

    The derivative is that of Daleckii and Krein, whose divided differences of x^(-1/2) are closed here: eigenvalues
    that are equal, as those of dead units, divide nothing by 0.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.sqrt()
        ctx.save_for_backward(roots, vectors)
        return (vectors / roots) @ vectors.mT

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        roots, vectors = ctx.saved_tensors
        divided = -1 / (roots[:, None] * roots * (roots[:, None] + roots))
        inner = vectors.mT @ gradients[0] @ vectors
        whole = vectors @ (divided * inner) @ vectors.mT
        return (whole + whole.mT) / 2


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Mean canonical correlation, 0 to 1, of two views (N,d) of the same N > 1 items: the mean singular value of
    S_aa^(-1/2) S_ab S_bb^(-1/2)."""
    a, b = a - a.mean(0), b - b.mean(0)
    ridge = RIDGE * torch.eye(a.shape[1], dtype=a.dtype, device=a.device)
    s_aa, s_bb, s_ab = ((x.mT @ y) / (len(a) - 1) for x, y in ((a, a), (b, b), (a, b)))
    between = InverseRoot.apply(s_aa + ridge) @ s_ab @ InverseRoot.apply(s_bb + ridge)
    return torch.linalg.svdvals(between).mean()


class MatrixNetwork(nn.Module):
    """Two convolutions over an outer product, each with pooling, then a linear layer."""

    def __init__(self, side: int, outputs: int) -> None:
        super().__init__()
        left = side // 4
        self.layers = nn.Sequential(
            nn.Conv2d(1, CHANNELS[0], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(CHANNELS[0], CHANNELS[1], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(CHANNELS[1] * left * left, outputs),
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(N,side) and (N,side) -> (N,outputs)."""
        return self.layers((a[:, :, None] * b[:, None, :])[:, None])


class CanonicalCorrelationNetwork(Rival):
    """K_a = CNN(t x s), K_v = CNN(t x v), correlated; logits = MLP([K_a; t; K_v])."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        speech, text, vision = config.input_dims
        side, outputs, both_ways = max(8, config.d_model // 4), max(8, config.d_model // 4), not config.past_only
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in config.input_dims)
        self.text = nn.Linear(text, side)
        self.lstms = nn.ModuleList(MaskedLSTM(size, side, both_ways) for size in (speech, vision))
        self.project = nn.ModuleList(nn.Linear(lstm.size, side) for lstm in self.lstms)
        self.networks = nn.ModuleList(MatrixNetwork(side, outputs) for _ in range(2))
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = MLP(2 * outputs + side, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor | tuple[Tensor, Tensor]:
        each = speakers is not None
        speech, text, vision = (
            self.dropout(norm(x)) * present[..., m, None]
            for m, (norm, x) in enumerate(zip(self.norms, features, strict=True))
        )
        there = present.flatten(0, 1) if each else present.any(1)
        words = self.text(text.flatten(0, 1) if each else mean_present(text, present[..., 1])) * there[:, 1, None]
        others = []
        for lstm, project, x, m in zip(self.lstms, self.project, (speech, vision), (0, 2), strict=True):
            states, final = lstm(x, present[..., m])
            others.append(project(states.flatten(0, 1) if each else final) * there[:, m, None])
        both = [there[:, m] & there[:, 1] for m in (0, 2)]
        views = [
            network(words, other) * pair[:, None]
            for network, other, pair in zip(self.networks, others, both, strict=True)
        ]
        logits = self.classifier(torch.cat([views[0], words, views[1]], -1))
        logits = logits.unflatten(0, present.shape[:2]) if each else logits
        whole = both[0] & both[1]
        if not self.training or whole.sum() < 2:
            return logits
        # In double precision: single would lose the small eigenvalues.
        return logits, -CORRELATION_WEIGHT * correlation(*(view[whole].double() for view in views)).to(logits.dtype)
