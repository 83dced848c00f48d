"""Memory Fusion Network: an LSTM for each modality, attention over their changing memories, and a gated memory.

A. Zadeh, P. P. Liang, N. Mazumder, S. Poria, E. Cambria, L.-P. Morency: "Memory Fusion Network for Multi-view
Sequential Learning", AAAI 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from train.rivals.rival import MLP, Rival, masked_step


class MemoryFusion(Rival):
    """System of LSTMs, delta-memory attention (DMAN) and multi-view gated memory (MGM).

    An LSTM whose modality is absent at a step keeps its state; so does the gated memory where all are absent.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        hidden = self.memory = config.d_model // 2
        modalities = len(config.input_dims)
        both = 2 * modalities * hidden  # the memories of two steps
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in config.input_dims)
        self.cells = nn.ModuleList(nn.LSTMCell(size, hidden) for size in config.input_dims)
        self.attention = MLP(both, config.d_model, both, config.dropout)
        self.candidate = MLP(both, config.d_model, hidden, config.dropout)
        self.keep = MLP(both, config.d_model, hidden, config.dropout)
        self.write = MLP(both, config.d_model, hidden, config.dropout)
        self.classifier = MLP((modalities + 1) * hidden, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor) -> tuple[Tensor, Tensor]:
        features = [norm(x) for norm, x in zip(self.norms, features, strict=True)]
        empty = features[0].new_zeros(len(present), self.memory)
        lstm, memory, outputs = [(empty, empty)] * len(features), empty, []
        for t in range(present.shape[1]):
            before = [c for _, c in lstm]
            lstm = [
                masked_step(cell, x[:, t], state, present[:, t, m])
                for m, (cell, x, state) in enumerate(zip(self.cells, features, lstm, strict=True))
            ]
            changed = self.remember(torch.cat([*before, *(c for _, c in lstm)], dim=-1), memory)
            memory = torch.where(present[:, t].any(-1, keepdim=True), changed, memory)
            outputs.append(torch.cat([*(h for h, _ in lstm), memory], dim=-1))
        step_logits = self.classifier(torch.stack(outputs, dim=1))
        return self.classifier(outputs[-1]), step_logits

    def remember(self, delta: Tensor, memory: Tensor) -> Tensor:
        """Memories of two steps (B,2*M*hidden) and u_{t-1} (B,hidden) -> u_t = g1 u_{t-1} + g2 tanh(u^)."""
        attended = delta * self.attention(delta).softmax(-1)
        keep, write = self.keep(attended).sigmoid(), self.write(attended).sigmoid()
        return keep * memory + write * self.candidate(attended).tanh()
