"""What the rivals made for dialogues share: utterances as joined vectors, the answer to a clip, graphs of dialogues.

Shapes use B dialogues, T utterances, N = B * T nodes of a graph.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from types import ModuleType

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.errors import HFFError
from hff.locale import say
from hff.model.weighting import Alignment
from train.rivals.rival import Rival, mean_present


class ConversationalRival(Rival):
    """Reads utterances, each as the join of its modalities; a clip is read as the words of one person, by the mean."""

    conversational = True

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        valid = present.any(-1)
        whose = torch.zeros_like(valid, dtype=torch.long) if speakers is None else speakers
        logits = self.read(features, present, whose)
        return mean_present(logits, valid) if speakers is None else logits

    @abstractmethod
    def read(self, features: list[Tensor], present: Tensor, speakers: Tensor) -> Tensor:
        """M tensors (B,T,d_m), present (B,T,M), speakers (B,T) -> logits (B,T,C)."""


class Joined(nn.Module):
    """The modalities of an utterance side by side, in one vector of ``d_model``.

    The papers join the features as they are; here each modality is projected first, so that one of 768 numbers does not
    drown one of 128, and an absent one is 0.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.alignment = Alignment(config)
        self.linear = nn.Linear(len(config.input_dims) * config.d_model, config.d_model)

    def forward(self, features: list[Tensor], present: Tensor) -> Tensor:
        """M tensors (B,T,d_m), present (B,T,M) -> (B,T,d_model)."""
        return self.linear(self.alignment(features, present).flatten(2))


def window_edges(valid: Tensor, past: int, future: int) -> Tensor:
    """Edges between utterances at most ``past`` before and ``future`` after each other, and of each to itself.

    valid (B,T) -> (2,E) numbers of nodes b * T + t: the one that is looked at, and the one that looks, as
    torch_geometric has them. No dialogue looks into another.
    """
    steps = torch.arange(valid.shape[1], device=valid.device)
    ahead = steps[None] - steps[:, None]  # row looks at column
    near = (ahead >= -past) & (ahead <= future)
    dialogue, looking, seen = (valid[:, :, None] & valid[:, None, :] & near).nonzero(as_tuple=True)
    return torch.stack([dialogue * valid.shape[1] + seen, dialogue * valid.shape[1] + looking])


def relations(edges: Tensor, speakers: Tensor, count: int) -> Tensor:
    """The kind of each edge (E,): who looks at whom, and whether at what was said before; one of 2 * count * count.

    speakers (B,T), of whom ``count`` are told apart and the last stands for all others.
    """
    whose = speakers.flatten().clamp(0, count - 1)
    seen, looking = edges
    return 2 * (whose[looking] * count + whose[seen]) + (seen < looking)


def relation_count(speakers: int) -> int:
    return 2 * speakers * speakers


def graph_library(part: str) -> ModuleType:
    """``torch_geometric.PART``, loaded by the models that need it alone: it takes seconds, and the demo has none."""
    try:
        return importlib.import_module(f"torch_geometric.{part}")
    except ModuleNotFoundError as error:
        what, command = "DialogueGCN/COGMEN", "python -m pip install -r tests/requirements.txt"
        raise HFFError(say("package.needed", what=what, package=error.name, command=command)) from error
