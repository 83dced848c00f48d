"""The text encoder: sentences to features, equations (9) to (12) of the paper.

BERT of the size of all-MiniLM-L6-v2 (6 layers, 384 numbers a token), so that [CLS] and the mean over tokens, joined,
have the paper's 768 numbers. ``weights/text.safetensors`` holds all its tensors, ``weights/pretrained/minilm/`` its
config and its words.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hff import device as devices
from hff import pretrained as parts
from hff.clean_text import clean

if TYPE_CHECKING:
    from transformers import BertModel

MAX_TOKENS = 128  # per piece, [CLS] and [SEP] included; longer text is cut into pieces and averaged
MAX_PIECES = 64  # what lies beyond is not read, and the caller is told
ABOUT_WORDS = 5_000  # of English that ``MAX_PIECES`` hold
PIECES_AT_ONCE = 32  # pieces in one pass


@functools.cache
def tokenizer():
    """The WordPiece tokenizer (lower case), loaded once."""
    from transformers import BertTokenizerFast

    return BertTokenizerFast.from_pretrained(str(parts.bert_folder()), local_files_only=True)


def untrained_bert() -> BertModel:
    """BERT with random layers."""
    from transformers import BertConfig, BertModel

    # "eager" because only it returns the attention of each head, and takes a mask for every pair of tokens.
    config = BertConfig.from_pretrained(str(parts.bert_folder()), local_files_only=True, attn_implementation="eager")
    return BertModel(config, add_pooling_layer=False)


class TextEncoder(nn.Module):
    """BERT, and the head it was fine-tuned with (C classes of one sentence)."""

    feature_dim = 768

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.bert = untrained_bert()
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(self.feature_dim, labels))

    def tokens_to_features(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (N,L) -> (N,768): equation (12), [CLS] joined with the mean of all tokens."""
        states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.cat([states[:, 0], mean_over_tokens(states, mask)], dim=-1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (N,L) -> logits (N,C)."""
        return self.head(self.tokens_to_features(ids, mask))

    def features(self, texts: list[str]) -> Tensor:
        """Texts of any length -> (N,768) on the encoder's device.

        A text longer than ``MAX_TOKENS`` is the mean of its pieces' features, each weighted by its tokens.
        """
        device = self.head[1].weight.device
        pieces, owner = [], []
        for number, text in enumerate(texts):
            cut = split_pieces(text)
            pieces += cut
            owner += [number] * len(cut)
        total = torch.zeros(len(texts), self.feature_dim, device=device)
        weight = torch.zeros(len(texts), device=device)
        for first in range(0, len(pieces), PIECES_AT_ONCE):
            batch = tokenizer()(
                pieces[first : first + PIECES_AT_ONCE],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            )
            ids, mask = (devices.to_device(batch[name], device) for name in ("input_ids", "attention_mask"))
            index = devices.to_device(torch.tensor(owner[first : first + PIECES_AT_ONCE]), device)
            size = mask.sum(1).float()
            features = self.tokens_to_features(ids, mask).float()
            total.index_add_(0, index, features * size[:, None])
            weight.index_add_(0, index, size)
        return total / weight.clamp_min(1)[:, None]


def mean_over_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """Equation (11) over the real tokens: (N,L,d), (N,L) -> (N,d)."""
    weight = mask.to(states.dtype)[..., None]
    return (states * weight).sum(1) / weight.sum(1).clamp_min(1)


def split_pieces(text: str) -> list[str]:
    """Cut a text into at most ``MAX_PIECES`` pieces that each fit ``MAX_TOKENS``."""
    words = _words(text)
    if not words:
        return []
    # Emoji, other scripts and long words take many tokens, so the true count decides, not the words.
    counts = [len(ids) for ids in tokenizer()(words, add_special_tokens=False)["input_ids"]]
    pieces: list[list[str]] = [[]]
    filled = 0
    for word, count in zip(words, counts, strict=True):
        if pieces[-1] and filled + count > MAX_TOKENS - 2:
            pieces.append([])
            filled = 0
        pieces[-1].append(word)
        filled += count
    return [" ".join(piece) for piece in pieces[:MAX_PIECES]]


def is_cut(text: str) -> bool:
    """Whether ``text`` is too long to be read whole."""
    if len(text) <= MAX_PIECES * MAX_TOKENS // 8:
        return False
    read = sum(len(piece.split()) for piece in split_pieces(text))
    return read < len(_words(text))


def _words(text: str) -> list[str]:
    """Split at white space, and within "words" too long for a piece (scripts that put no spaces)."""
    longest = MAX_TOKENS - 2  # a character is never more than one token
    return [word[first : first + longest] for word in clean(text).split() for first in range(0, len(word), longest)]
