"""Level 3, time: the gated recurrent unit and the pooled sum, equations (24) to (28) of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.cancel import checkpoint
from hff.model.weighting import masked_softmax


class GatedRecurrentUnit(nn.Module):
    """Equations (24) to (27) as written: the reset gate acts on h before W_h.

    ``torch.nn.GRU`` applies it after the product and swaps z with 1 - z, so its numbers would differ.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.from_input = nn.Linear(inputs, 3 * hidden)
        self.gates_from_hidden = nn.Linear(hidden, 2 * hidden, bias=False)
        self.candidate_from_hidden = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """x (B,T,inputs), valid (B,T) -> h (B,T,hidden); the state passes over invalid steps unchanged."""
        update_x, reset_x, candidate_x = self.from_input(x).chunk(3, dim=-1)
        h = x.new_zeros(x.shape[0], self.hidden)
        states = []
        for t in range(x.shape[1]):
            checkpoint()
            update_h, reset_h = self.gates_from_hidden(h).chunk(2, dim=-1)
            z = torch.sigmoid(update_x[:, t] + update_h)
            r = torch.sigmoid(reset_x[:, t] + reset_h)
            candidate = torch.tanh(candidate_x[:, t] + self.candidate_from_hidden(r * h))
            h = torch.where(valid[:, t, None], (1 - z) * h + z * candidate, h)
            states.append(h)
        return torch.stack(states, dim=1)


class TemporalPooling(nn.Module):
    """Equation (28): f_final = sum_t beta_t h_t, with beta a softmax over the valid steps."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, states: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """states (B,T,hidden), valid (B,T) -> pooled (B,hidden), beta (B,T)."""
        beta = masked_softmax(self.score(states).squeeze(-1), valid)
        return (beta[..., None] * states).sum(1), beta


class MeanOverTime(nn.Module):
    """The ablation "without temporal modelling": no recurrence, every valid step counts the same."""

    def forward(self, states: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """states (B,T,d), valid (B,T) -> mean (B,d), beta (B,T)."""
        beta = masked_softmax(torch.zeros_like(states[..., 0]), valid)
        return (beta[..., None] * states).sum(1), beta
