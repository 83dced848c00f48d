"""Words within their dialogue: BERT reads an utterance together with what is said before and after it.

A dialogue is one text, ``[CLS] Ann: utterance [SEP] Bob: utterance [SEP] ...``, in which every token sees every other
(with ``past_only`` none of a later utterance). What stands at an utterance's own tokens makes its features, as equation
(12) of HFF's paper joins them: the state at its closing separator, and the mean of its tokens. A dialogue longer than
``WINDOW`` tokens is read in windows that overlap, so that every utterance has something before and after it. One pass
reads all utterances of a window: ten times less work than a pass for each with its context (Kim & Vossen 2021,
EmoBERTa, whose speaker names in front of the words these are).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hff import pretrained, weights
from hff.encoders.bert import untrained_bert
from hff.errors import InputError
from hff.locale import say
from train.corpora.conversation import Conversation
from train.ready_made import plain_minilm

WINDOW = 256  # tokens that BERT reads at once
MOST_TOKENS = 62  # of one utterance, the speaker's name included; the rest is cut off
UNSEEN = -1e9  # added to the score of a token that may not be looked at
NOBODY = -1  # whose tokens are those that are read only as context
SHIPPED_TEXT, PLAIN_TEXT = "shipped", "plain"


@dataclass
class TokenWindows:
    """The words of a batch of dialogues: W windows of L tokens."""

    ids: Tensor  # (W,L) int64
    order: Tensor  # (W,L) int64, the token's utterance counted within the window; 0 for [CLS], -1 in padding
    owner: Tensor  # (W,L) int64, row * T + step of the utterance whose features it is for; ``NOBODY`` for context
    closing: Tensor  # (W,L) bool, the separator behind an utterance

    def to(self, device: torch.device) -> TokenWindows:
        return TokenWindows(*(x.to(device, non_blocking=True) for x in vars(self).values()))


class DialogueTokenizer:
    """Dialogues of words -> windows of tokens."""

    def __init__(self, folder: Path, window: int = WINDOW) -> None:
        """``folder`` as Hugging Face's, with a tokenizer."""
        self.folder, self.window = folder, window
        self._known: dict[tuple[str, ...], list[list[int]]] = {}

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(self.folder), local_files_only=True)

    def windows(self, conversations: Sequence[Conversation], steps: int) -> TokenWindows:
        """The windows of a batch whose rows are these conversations, padded to ``steps`` utterances."""
        rows = [
            (utterances, targets, row * steps + first)
            for row, conversation in enumerate(conversations)
            for utterances, targets, first in self._cut(self._tokens(conversation))
        ]
        length = 1 + max(sum(len(tokens) + 1 for tokens in utterances) for utterances, _, _ in rows)
        ids = torch.full((len(rows), length), self._tokenizer.pad_token_id)
        order, owner = torch.full_like(ids, -1), torch.full_like(ids, NOBODY)
        closing = torch.zeros_like(ids, dtype=torch.bool)
        ids[:, 0], order[:, 0] = self._tokenizer.cls_token_id, 0
        for row, (utterances, targets, first) in enumerate(rows):
            place = 1
            for number, tokens in enumerate(utterances):
                here = slice(place, place + len(tokens) + 1)
                ids[row, here] = torch.tensor([*tokens, self._tokenizer.sep_token_id])
                order[row, here] = 1 + number
                if number in targets:
                    owner[row, here] = first + number - targets[0]
                    closing[row, here.stop - 1] = True
                place = here.stop
        return TokenWindows(ids, order, owner, closing)

    def _tokens(self, conversation: Conversation) -> list[list[int]]:
        """Each utterance's tokens, the speaker's name in front where there are several."""
        if not conversation.texts:
            raise InputError(say("encoder.no_transcript", name=conversation.name))
        named = len(set(conversation.speakers)) > 1
        said = tuple(
            f"{speaker}: {text}" if named else text
            for speaker, text in zip(conversation.speakers, conversation.texts, strict=True)
        )
        if said not in self._known:
            ids = self._tokenizer(list(said), add_special_tokens=False)["input_ids"]
            self._known[said] = [tokens[:MOST_TOKENS] for tokens in ids]
        return self._known[said]

    def _cut(self, said: list[list[int]]) -> list[tuple[list[list[int]], range, int]]:
        """Windows of one dialogue: the utterances in it, which of them it is read for, and the first one's number."""
        sizes = [len(tokens) + 1 for tokens in said]
        room = self.window - 1
        if sum(sizes) <= room:
            return [(said, range(len(said)), 0)]
        windows = []
        first = 0
        while first < len(said):
            last, used = first + 1, sizes[first]
            while last < len(said) and used + sizes[last] <= room // 2:
                used += sizes[last]
                last += 1
            left, right, used = _widened(sizes, first, last, used, room)
            windows.append((said[left:right], range(first - left, last - left), first))
            first = last
        return windows


def _widened(sizes: list[int], first: int, last: int, used: int, room: int) -> tuple[int, int, int]:
    """The window around utterances ``first`` to ``last``: what is before and after it, as long as there is room."""
    left, right = first, last
    while True:
        grown = False
        if left > 0 and used + sizes[left - 1] <= room:
            left, used, grown = left - 1, used + sizes[left - 1], True
        if right < len(sizes) and used + sizes[right] <= room:
            right, used, grown = right + 1, used + sizes[right], True
        if not grown:
            return left, right, used


class DialogueTextEncoder(nn.Module):
    """BERT over a dialogue; its embeddings stay as they are."""

    def __init__(self, start: str = SHIPPED_TEXT, past_only: bool = False) -> None:
        """``start``: "shipped" is BERT as HFF's text encoder fine-tuned it, "plain" as it was before (its package is
        asked for), or a folder in Hugging Face's layout with another encoder, such as MPNet or RoBERTa."""
        super().__init__()
        from transformers import AutoModel

        self.folder = pretrained.bert_folder() if start in (SHIPPED_TEXT, PLAIN_TEXT) else Path(start)
        if not (self.folder / "config.json").is_file():
            raise InputError(say("encoder.no_folder", path=start))
        self.past_only = past_only
        if start == PLAIN_TEXT:
            self.bert = plain_minilm.load(untrained_bert())
        elif start == SHIPPED_TEXT:
            self.bert = untrained_bert()
            state, _ = weights.load(weights.folder() / "text.safetensors")
            ours = {name.removeprefix("bert."): x for name, x in state.items() if name.startswith("bert.")}
            weights.fill(self.bert, ours, "text")
        else:  # "eager" takes a mask of its own for every pair of tokens
            self.bert = AutoModel.from_pretrained(
                str(self.folder), local_files_only=True, add_pooling_layer=False, attn_implementation="eager"
            )
        self.bert.embeddings.requires_grad_(False)

    @property
    def feature_dim(self) -> int:
        return 2 * self.bert.config.hidden_size

    def forward(self, windows: TokenWindows, count: int) -> Tensor:
        """(count, feature_dim): the features of utterance row * T + step at that place, 0 where there is none."""
        there = windows.order >= 0
        mask = there[:, None, :].expand(-1, there.shape[1], -1)
        if self.past_only:
            mask = mask & (windows.order[:, None, :] <= windows.order[:, :, None])
        unseen = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, UNSEEN)[:, None]
        states = self.bert(input_ids=windows.ids, attention_mask=unseen).last_hidden_state.float()
        own = windows.owner >= 0
        owner, states = windows.owner[own], states[own]
        total = states.new_zeros(count, states.shape[-1]).index_add_(0, owner, states)
        number = states.new_zeros(count).index_add_(0, owner, torch.ones_like(states[:, 0]))
        closing = windows.closing[own]
        closed = torch.zeros_like(total).index_add_(0, owner[closing], states[closing])
        return torch.cat([closed, total / number.clamp_min(1)[:, None]], dim=-1)
