"""Class-paired clips: voice, words and face of one emotion from different people (DESIGN of the data).

No open corpus holds face, voice and words of one person under the seven emotions at scale, so a clip is
put together from cached features of items that share a label. Damage, missing modalities, partners that
say nothing (neutral, or RAVDESS's fixed sentences) and partners that contradict are drawn in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hff.config import MODALITIES
from hff.errors import HFFError
from train import features

LABELS = 7


@dataclass(frozen=True)
class Mix:
    """How clips are put together; shares are probabilities."""

    damaged: float = 0.5  # per modality: a damaged variant instead of the clean one
    partial: float = 0.3  # of damaged: only from some step on, as when a hand moves before the camera
    dropped: float = 0.2  # per modality: absent from the whole clip
    gaps: float = 0.1  # per step: no face found
    unfeeling_text: float = 0.3  # neutral words whatever the emotion
    unfeeling_face: float = 0.15
    unfeeling_voice: float = 0.1
    conflict: float = 0.08  # one modality of another emotion than the other two
    contradiction: float = 0.3  # of clips of no given label: modalities of different emotions, none of them the truth
    alone: float = 0.2  # one modality and no other, its labels as frequent as in its own corpora
    held_out: float = 0.7  # share of items that the encoder did not learn from, where there are others


CLEAN = Mix(damaged=0, partial=0, dropped=0, gaps=0, unfeeling_text=0, unfeeling_face=0, unfeeling_voice=0,
            conflict=0, contradiction=0, alone=0, held_out=1)  # fmt: skip


@dataclass
class Batch:
    """B clips of T steps; ``severity`` and ``said`` are those of each modality at each step."""

    speech: Tensor  # (B,T,128)
    text: Tensor  # (B,T,768)
    vision: Tensor  # (B,T,512)
    present: Tensor  # (B,T,M) bool
    severity: Tensor  # (B,T,M)
    said: Tensor  # (B,T,M,C), logits of each encoder's own head
    target: Tensor  # (B,)
    own: Tensor | None = None  # (B,M), the label of each modality's own item
    contradicts: Tensor | None = None  # (B,) bool: modalities of different emotions, with no truth between them
    twins: int = 0  # the last ones are the first ones again, at other severities

    def to(self, device: torch.device) -> Batch:
        return self._each(lambda value: value.to(device, non_blocking=True))

    def share(self, rank: int, size: int) -> Batch:
        """The part of one of ``size`` processes: as many clips as each other's, twins with their originals."""
        alone = len(self.target) - self.twins
        if self.twins % size or alone % size:
            raise HFFError(f"{alone} clips and {self.twins} twins cannot be shared equally by {size} processes.")
        rows = torch.cat([
            torch.arange(rank, self.twins, size), torch.arange(self.twins + rank, alone, size),
            torch.arange(alone + rank, alone + self.twins, size),
        ]).to(self.target.device)  # fmt: skip
        return dataclasses.replace(self._each(lambda value: value[rows]), twins=self.twins // size)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return dataclasses.replace(self, **tensors)

    def inputs(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in (*MODALITIES, "present")}


@dataclass
class Choice:
    """One clip before its features are looked up: items, variants and presence."""

    items: tuple[int, int, int]
    variants: np.ndarray  # (T,M) variant index per step
    present: np.ndarray  # (T,M)
    target: int
    contradicts: bool = False


class PairedClips:
    """The cached items of one split, by label, and clips drawn from them."""

    def __init__(self, folder: Path, split: str) -> None:
        self.stored = {m: features.load(folder, m, split) for m in MODALITIES}
        self.by_label = {
            m: [np.flatnonzero((self.stored[m]["label"] == c).numpy()) for c in range(LABELS)] for m in MODALITIES
        }
        self.fixed_text = np.flatnonzero(self.stored["text"]["fixed"].numpy())
        self.pools = {m: self._pools(m) for m in MODALITIES}
        self.frequency = {
            m: self.stored[m]["frequency"].double().numpy() / float(self.stored[m]["frequency"].double().sum())
            for m in MODALITIES
        }

    def _pools(self, modality: str) -> dict[bool, list[np.ndarray]]:
        """Items of each label that the encoder did not learn from, and those that it did."""
        held = self.stored[modality]["held_out"].numpy()
        return {kept: [items[held[items] == kept] for items in self.by_label[modality]] for kept in (True, False)}

    def variants(self, modality: str) -> int:
        return self.stored[modality]["severity"].shape[1]

    def choose(self, rng: np.random.Generator, mix: Mix, label: int | None = None) -> Choice:
        """Draw one clip; with a ``label``, one of that emotion, which is then not of one modality on purpose."""
        if label is None and rng.random() < mix.alone:
            return self._choose_alone(int(rng.integers(len(MODALITIES))), rng, mix)
        if label is None and rng.random() < mix.contradiction:
            return self._choose_contradiction(rng, mix)
        target = int(rng.integers(LABELS)) if label is None else label
        labels = [target] * 3
        for m, share in enumerate((mix.unfeeling_voice, mix.unfeeling_text, mix.unfeeling_face)):
            if rng.random() < share:
                labels[m] = 0
        if rng.random() < mix.conflict and len(set(labels)) == 1:
            labels[rng.integers(3)] = int(rng.integers(LABELS))
        items = (
            self._item("speech", labels[0], rng, mix),
            self._words(labels[1], target, rng, mix),
            self._item("vision", labels[2], rng, mix),
        )
        steps = int(self.stored["speech"]["length"][items[0]])
        present = rng.random(3) >= mix.dropped
        if not present.any():
            present[rng.integers(3)] = True
        if not present[0] and rng.random() < 0.3:
            steps = int(rng.integers(1, 4))  # a typed sentence or a picture alone is a clip of one step
        grid = np.broadcast_to(present, (steps, 3)).copy()
        grid[:, 2] &= (rng.random(steps) >= mix.gaps) | (steps == 1)
        return Choice(items, self._variants(steps, rng, mix), grid, target)

    def _choose_alone(self, place: int, rng: np.random.Generator, mix: Mix) -> Choice:
        """A clip of one modality, so that it alone is read as well as its encoder's own head would."""
        target = int(rng.choice(LABELS, p=self.frequency[MODALITIES[place]]))
        items = tuple(self._item(m, target, rng, mix) for m in MODALITIES)
        steps = int(self.stored["speech"]["length"][items[0]]) if place == 0 else int(rng.integers(1, 4))
        grid = np.broadcast_to(np.arange(3) == place, (steps, 3)).copy()
        return Choice(items, self._variants(steps, rng, mix), grid, target)

    def _choose_contradiction(self, rng: np.random.Generator, mix: Mix) -> Choice:
        """Two modalities of different emotions; the third is absent, on one side, or of an emotion of its own."""
        labels = rng.permutation(LABELS)[:3]
        order = rng.permutation(3)
        if rng.random() < 0.5:
            labels[2] = labels[rng.integers(2)]
        drawn = {MODALITIES[m]: int(label) for m, label in zip(order, labels, strict=True)}
        items = tuple(self._item(m, drawn[m], rng, mix) for m in MODALITIES)
        present = np.ones(3, bool)
        present[order[2]] = rng.random() < 0.4
        steps = int(self.stored["speech"]["length"][items[0]]) if present[0] else int(rng.integers(1, 4))
        grid = np.broadcast_to(present, (steps, 3)).copy()
        return Choice(items, self._variants(steps, rng, mix), grid, drawn[MODALITIES[order[0]]], contradicts=True)

    def _variants(self, steps: int, rng: np.random.Generator, mix: Mix) -> np.ndarray:
        """(T,M) which variant of each modality's item stands at each step."""
        variants = np.zeros((steps, 3), int)
        for m, modality in enumerate(MODALITIES):
            if rng.random() < mix.damaged:
                variants[:, m] = rng.integers(1, self.variants(modality))
                if rng.random() < mix.partial:
                    variants[: rng.integers(steps + 1), m] = 0
        return variants

    def twin(self, choice: Choice, rng: np.random.Generator) -> Choice:
        """The same clip with every modality at another random severity."""
        drawn = [rng.integers(0, self.variants(m)) for m in MODALITIES]
        return Choice(choice.items, np.broadcast_to(drawn, choice.variants.shape).copy(), choice.present, choice.target,
                      choice.contradicts)  # fmt: skip

    def collate(self, choices: list[Choice], rng: np.random.Generator) -> Batch:
        """Look the features up and pad to the longest clip."""
        steps = max(len(c.present) for c in choices)
        size = (len(choices), steps)
        own = [self.stored[m]["label"][[c.items[i] for c in choices]] for i, m in enumerate(MODALITIES)]
        batch = Batch(
            torch.zeros(*size, 128), torch.zeros(*size, 768), torch.zeros(*size, 512),
            torch.zeros(*size, 3, dtype=torch.bool), torch.zeros(*size, 3), torch.zeros(*size, 3, LABELS),
            torch.tensor([c.target for c in choices]),
            own=torch.stack(own, 1), contradicts=torch.tensor([c.contradicts for c in choices]),
        )  # fmt: skip
        for b, choice in enumerate(choices):
            length = len(choice.present)
            t = torch.arange(length)
            v = torch.from_numpy(choice.variants)
            present = torch.from_numpy(choice.present.copy())
            voice, words, face = choice.items
            view = torch.from_numpy(rng.integers(0, self.stored["vision"]["features"].shape[2], length))
            places = {"speech": (voice, v[:, 0], t), "text": (words, v[:, 1]), "vision": (face, v[:, 2], view)}
            for m, (modality, place) in enumerate(places.items()):
                getattr(batch, modality)[b, :length] = self.stored[modality]["features"][place]
                batch.said[b, :length, m] = self.stored[modality]["said"][place]
            voiced = self.stored["speech"]["there"][voice, v[:, 0], t]
            present[:, 0] &= voiced
            if not present.any():
                present[:, 1] = True  # a voice lost in noise, alone: the words stand in
            batch.present[b, :length] = present
            for m, modality in enumerate(MODALITIES):
                batch.severity[b, :length, m] = self.stored[modality]["severity"][choice.items[m], v[:, m]]
        return batch

    def _item(self, modality: str, label: int, rng: np.random.Generator, mix: Mix) -> int:
        pool = self.pools[modality][bool(rng.random() < mix.held_out)][label]
        return int(rng.choice(pool if len(pool) else self.by_label[modality][label]))

    def _words(self, label: int, target: int, rng: np.random.Generator, mix: Mix) -> int:
        if label == 0 and target != 0 and rng.random() < 0.3:
            return int(rng.choice(self.fixed_text))
        return self._item("text", label, rng, mix)
