"""Memory Fusion Network: an LSTM for each modality, attention over their changing memories, and a gated memory.

A. Zadeh, P. P. Liang, N. Mazumder, S. Poria, E. Cambria, L.-P. Morency: "Memory Fusion Network for Multi-view
Sequential Learning", AAAI 2018. Other than there: the features are normalised, and an LSTM whose modality is absent at
a step keeps its state; so does the gated memory where all are absent. It reads forwards only, as in the paper, so that
an utterance of a dialogue is read from what was said before.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from train.rivals.rival import MLP, Rival, masked_step


class MemoryNetwork(nn.Module):
    """System of LSTMs, delta-memory attention (DMAN) and multi-view gated memory (MGM)."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        hidden = self.memory = config.d_model // 2
        modalities = len(config.input_dims)
        both = 2 * modalities * hidden  # the memories of two steps
        self.size = (modalities + 1) * hidden
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in config.input_dims)
        self.cells = nn.ModuleList(nn.LSTMCell(size, hidden) for size in config.input_dims)
        self.attention = MLP(both, config.d_model, both, config.dropout)
        self.candidate = MLP(both, config.d_model, hidden, config.dropout)
        self.keep = MLP(both, config.d_model, hidden, config.dropout)
        self.write = MLP(both, config.d_model, hidden, config.dropout)

    def forward(self, features: list[Tensor], present: Tensor) -> Tensor:
        """M tensors (B,T,d_m), present (B,T,M) -> the LSTMs' outputs and the gated memory at each step (B,T,size)."""
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
        return torch.stack(outputs, dim=1)

    def remember(self, delta: Tensor, memory: Tensor) -> Tensor:
        """Memories of two steps (B,2*M*hidden) and u_{t-1} (B,hidden) -> u_t = g1 u_{t-1} + g2 tanh(u^)."""
        attended = delta * self.attention(delta).softmax(-1)
        keep, write = self.keep(attended).sigmoid(), self.write(attended).sigmoid()
        return keep * memory + write * self.candidate(attended).tanh()


class MemoryFusion(Rival):
    """A classifier on the memory network: after the last step of a clip, after each step of a dialogue."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        self.network = MemoryNetwork(config)
        self.classifier = MLP(self.network.size, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        states = self.network(features, present)
        return self.classifier(states[:, -1] if speakers is None else states)
