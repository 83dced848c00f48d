"""Dialogues as models see them: a conversation is a sequence, each of its utterances one step of the time grid.

``batches`` pads several ``Conversation``s to a ``DialogueBatch``. Every model, HFF or a rival, reads ``batch.inputs``
as keywords and is asked for ``step_logits`` (K,B,T,C): one answer for each utterance. Whether an answer may rest on
what is said later is ``HFFConfig.past_only``; how many speakers are told apart is ``HFFConfig.speakers`` (0: who speaks
is not used).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hff.config import MODALITIES
from train.corpora.conversation import UNLABELLED, Conversation
from train.encoders.dialogue_text import DialogueTokenizer, TokenWindows


class Task(Protocol):
    """What is asked of every utterance."""

    names: tuple[str, ...]  # C labels, as ``HFFConfig.labels``

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Labels (N,) -> distributions over ``names`` (N,C) float32; zeros where there is no label."""
        ...


@dataclass
class DialogueBatch:
    """B dialogues, padded to T utterances. In padding mask and present are false, and all else is 0."""

    features: dict[str, Tensor]  # by modality, all three: (B,T,d_m); (B,T,1) zeros for one that the data lacks
    present: Tensor  # (B,T,M) bool, which modality an utterance has
    mask: Tensor  # (B,T) bool, where there is an utterance
    speakers: Tensor  # (B,T) int64, numbered within the dialogue by first appearance
    target: Tensor  # (B,T,C) float32, a distribution over the labels; zeros where there is none
    words: TokenWindows | None = None  # of an encoder that learns along

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The keywords of ``HFF.forward`` and ``Rival.forward``: the modalities' features, present, and speakers."""
        return self.features | {"present": self.present, "speakers": self.speakers}

    @property
    def labelled(self) -> Tensor:
        """(B,T) bool: the utterances that have a label, by which a model is taught and scored."""
        return (self.target > 0).any(-1)

    @property
    def labels(self) -> Tensor:
        """(B,T) int64, the most likely label; ``UNLABELLED`` where there is none."""
        return torch.where(self.labelled, self.target.argmax(-1), UNLABELLED)

    def to(self, device: torch.device) -> DialogueBatch:
        """The batch on ``device``; from pinned memory without waiting for it."""

        def moved(x: Tensor) -> Tensor:
            return x.to(device, non_blocking=True)

        return DialogueBatch(
            {m: moved(x) for m, x in self.features.items()},
            moved(self.present),
            moved(self.mask),
            moved(self.speakers),
            moved(self.target),
            None if self.words is None else self.words.to(device),
        )


def batches(
    conversations: Sequence[Conversation],
    task: Task,
    size: int,
    rng: np.random.Generator | None = None,
    tokenizer: DialogueTokenizer | None = None,
) -> Iterator[DialogueBatch]:
    """Batches of ``size`` dialogues, in order, or in random order where ``rng`` is given; with a ``tokenizer`` their
    words too, for an encoder that learns along."""
    order = range(len(conversations)) if rng is None else rng.permutation(len(conversations))
    for first in range(0, len(order), size):
        yield collate([conversations[i] for i in order[first : first + size]], task, tokenizer)


def collate(
    conversations: Sequence[Conversation], task: Task, tokenizer: DialogueTokenizer | None = None
) -> DialogueBatch:
    """Several dialogues as one padded batch."""

    def padded(part: Callable[[Conversation], np.ndarray]) -> Tensor:
        return pad_sequence([torch.from_numpy(part(one)) for one in conversations], batch_first=True)

    return DialogueBatch(
        {m: padded(partial(Conversation.features_of, modality=m)) for m in MODALITIES},
        padded(lambda one: one.present),
        padded(lambda one: np.ones(len(one), bool)),
        padded(lambda one: one.speaker_numbers),
        padded(lambda one: task.targets(one.labels)),
        None if tokenizer is None else tokenizer.windows(conversations, max(map(len, conversations))),
    )
