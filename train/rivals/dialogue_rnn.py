"""DialogueRNN: what is said in a dialogue, what each of its people feels, and the emotion, each a recurrent state.

N. Majumder, S. Poria, D. Hazarika, R. Mihalcea, A. Gelbukh, E. Cambria: "DialogueRNN: An Attentive RNN for Emotion
Detection in Conversations", AAAI 2019; the variant BiDialogueRNN with attention over the emotions of a dialogue. Other
than there: the modalities are projected before they are joined, and listeners keep their state, as in the paper's
simplest variant; where only the past may be used it reads forwards.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.weighting import masked_softmax
from train.rivals.conversational import ConversationalRival, Joined
from train.rivals.rival import MLP, seen


class DialogueCell(nn.Module):
    """One direction: the global, the party and the emotion GRU, and attention of an utterance to past global states."""

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.globals = nn.GRUCell(inputs + hidden, hidden)
        self.party = nn.GRUCell(inputs + hidden, hidden)
        self.emotion = nn.GRUCell(hidden, hidden)
        self.attention = nn.Linear(inputs, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, u: Tensor, valid: Tensor, speakers: Tensor) -> Tensor:
        """u (B,T,inputs), valid (B,T), speakers (B,T) -> emotion states (B,T,hidden); states pass invalid steps."""
        size, steps = valid.shape
        rows = torch.arange(size, device=u.device)
        parties = u.new_zeros(size, int(speakers.max()) + 1, self.hidden)
        whole = emotion = u.new_zeros(size, self.hidden)
        history: list[Tensor] = []
        found = []
        for t in range(steps):
            there = valid[:, t, None]
            own = parties[rows, speakers[:, t]]
            context = self.context(u[:, t], history, valid[:, :t])
            now = self.dropout(self.globals(torch.cat([u[:, t], own], -1), whole))
            whole = torch.where(there, now, whole)
            changed = torch.where(there, self.dropout(self.party(torch.cat([u[:, t], context], -1), own)), own)
            parties = parties.index_put((rows, speakers[:, t]), changed)
            emotion = torch.where(there, self.dropout(self.emotion(changed, emotion)), emotion)
            history.append(whole)
            found.append(emotion)
        return torch.stack(found, 1)

    def context(self, u: Tensor, history: list[Tensor], valid: Tensor) -> Tensor:
        """c_t = sum over past t' of softmax(u_t W g_t') g_t', for u (B,inputs) and valid (B,t); 0 without a past."""
        if not history:
            return u.new_zeros(len(u), self.hidden)
        past = torch.stack(history, 1)
        weights = masked_softmax((past @ self.attention(u)[..., None]).squeeze(-1), valid)
        return (weights[..., None] * past).sum(1)


class DialogueRNN(ConversationalRival):
    """Both directions' emotions e_t, attention over those of the dialogue, and a classifier with a hidden layer."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        hidden = config.d_model // 2
        self.join = Joined(config)
        ways = 1 if config.past_only else 2
        self.cells = nn.ModuleList(DialogueCell(config.d_model, hidden, config.dropout) for _ in range(ways))
        self.attention = nn.Linear(ways * hidden, ways * hidden, bias=False)
        self.classifier = MLP(ways * hidden, config.d_model, len(config.labels), config.classifier_dropout)

    def read(self, features: list[Tensor], present: Tensor, speakers: Tensor) -> Tensor:
        u, valid = self.join(features, present), present.any(-1)
        states = [self.cells[0](u, valid, speakers)]
        if len(self.cells) > 1:
            # Padding comes first then, and leaves the states as they are.
            states.append(self.cells[1](u.flip(1), valid.flip(1), speakers.flip(1)).flip(1))
        emotions = torch.cat(states, -1)
        scores = emotions @ self.attention(emotions).mT
        weights = masked_softmax(scores, seen(valid, self.config.past_only))
        return self.classifier(weights @ emotions)
