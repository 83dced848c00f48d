"""DialogueGCN: utterances as a graph whose edges know who speaks to whom, and what came before.

D. Ghosal, N. Majumder, S. Poria, N. Chhaya, A. Gelbukh: "DialogueGCN: A Graph Convolutional Neural Network for Emotion
Recognition in Conversation", EMNLP-IJCNLP 2019. Other than there: the modalities are projected before they are joined;
the context is read by LSTMs in place of GRUs; where only the past may be used the window and
the attention end at the utterance and the context is read forwards.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.weighting import masked_softmax
from train.rivals.conversational import (
    ConversationalRival,
    Joined,
    graph_library,
    relation_count,
    relations,
    window_edges,
)
from train.rivals.rival import MLP, MaskedLSTM, seen

GCN_WINDOW = 10  # utterances before and after
BASES = 30  # that the relations' weights are sums of, at most


class DialogueGCN(ConversationalRival):
    """g = biLSTM(u); edges weigh softmax(g_i W g_j); RGCN, then GraphConv; attention over [g; h] and a classifier."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        size = config.d_model // 2
        self.speakers = max(1, config.speakers)
        kinds = relation_count(self.speakers)
        self.join = Joined(config)
        self.context = MaskedLSTM(config.d_model, size, not config.past_only)
        self.edge_scores = nn.Linear(self.context.size, self.context.size, bias=False)
        layers = graph_library("nn")
        self.relational = layers.RGCNConv(self.context.size, size, kinds, num_bases=min(BASES, kinds))
        self.convolution = layers.GraphConv(size, size)
        self.dropout = nn.Dropout(config.dropout)
        joined = self.context.size + size
        self.attention = nn.Linear(joined, joined, bias=False)
        self.classifier = MLP(joined, config.d_model, len(config.labels), config.classifier_dropout)

    def read(self, features: list[Tensor], present: Tensor, speakers: Tensor) -> Tensor:
        valid = present.any(-1)
        states, _ = self.context(self.join(features, present), valid)
        edges = window_edges(valid, GCN_WINDOW, 0 if self.config.past_only else GCN_WINDOW)
        nodes = states.flatten(0, 1)
        hidden = self.convolve(nodes, edges, relations(edges, speakers, self.speakers))
        joined = torch.cat([nodes, self.dropout(hidden)], -1).unflatten(0, valid.shape)
        scores = joined @ self.attention(joined).mT
        weights = masked_softmax(scores, seen(valid, self.config.past_only))
        return self.classifier(weights @ joined)

    def edge_weights(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """alpha (E,): softmax over what a node looks at of g_i W g_j; nodes (N,d), edges (2,E)."""
        at, looking = edges
        scores = (self.edge_scores(nodes)[looking] * nodes[at]).sum(-1)
        return graph_library("utils").softmax(scores, looking, num_nodes=len(nodes))

    def convolve(self, nodes: Tensor, edges: Tensor, kinds: Tensor) -> Tensor:
        """Equations of both convolutions: nodes (N,d), edges (2,E), kinds (E,) -> (N,size)."""
        alpha = self.edge_weights(nodes, edges)
        # RGCNConv knows no weights of edges: each edge's message, weighed, is a source of its own.
        messages = alpha[:, None] * nodes[edges[0]]
        own = torch.stack([torch.arange(edges.shape[1], device=edges.device), edges[1]])
        first = self.relational((messages, nodes), own, kinds).relu()
        return self.convolution(first, edges).relu()
