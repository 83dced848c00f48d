"""COGMEN: a Transformer over the dialogue, then a graph of who speaks to whom, and a graph Transformer.

A. Joshi, A. Bhat, A. Jain, A. V. Singh, A. Modi: "COGMEN: COntextualized GNN based Multimodal Emotion recognitioN",
NAACL 2022. Written from the paper alone. Other than there: the modalities are projected before they are joined, layers
are normalised before attention, and there are as many of them as ``config.layers`` says; where only the past may be
used, attention and window end at the utterance.
"""

from __future__ import annotations

from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.attention import sinusoidal_positions
from train.rivals.conversational import (
    ConversationalRival,
    Joined,
    graph_library,
    relation_count,
    relations,
    window_edges,
)
from train.rivals.mult import CrossmodalTransformer
from train.rivals.rival import MLP, seen

COGMEN_WINDOW = 5  # utterances before and after


class COGMEN(ConversationalRival):
    """z = Transformer(u); RGCN over who speaks to whom and when; graph attention; a classifier."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        size = config.d_model
        self.speakers = max(1, config.speakers)
        self.join = Joined(config)
        self.dropout = nn.Dropout(config.dropout)
        self.context = CrossmodalTransformer(config)
        layers = graph_library("nn")
        self.relational = layers.RGCNConv(size, size, relation_count(self.speakers))
        head = -(-size // config.heads)
        self.graph = layers.TransformerConv(size, head, heads=config.heads, dropout=config.dropout)
        self.classifier = MLP(config.heads * head, size, len(config.labels), config.classifier_dropout)

    def read(self, features: list[Tensor], present: Tensor, speakers: Tensor) -> Tensor:
        valid, past_only = present.any(-1), self.config.past_only
        u = self.join(features, present)
        codes = sinusoidal_positions(u.shape[1], u.shape[2], u.device, u.dtype)
        z = self.context(self.dropout(u + codes), None, seen(valid, past_only))
        edges = window_edges(valid, COGMEN_WINDOW, 0 if past_only else COGMEN_WINDOW)
        nodes = self.relational(z.flatten(0, 1), edges, relations(edges, speakers, self.speakers))
        return self.classifier(self.graph(nodes, edges).unflatten(0, valid.shape))
