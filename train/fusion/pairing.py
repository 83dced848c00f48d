"""Class-paired clips: voice, words and face of one emotion from different people (DESIGN of the data).

No open corpus holds face, voice and words of one person under all the emotions at scale, so a clip is
put together from cached features of items that share a label. Corruption, missing modalities, partners that
say nothing (neutral, or RAVDESS's fixed sentences) and partners that contradict are drawn in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hff.config import MODALITIES, NEUTRAL
from hff.errors import HFFError
from hff.locale import say
from train.fusion import feature_files


@dataclass(frozen=True)
class Mix:
    """How clips are put together; shares are probabilities."""

    corrupted: float = 0.5  # per modality: a corrupted variant instead of the clean one
    partial: float = 0.3  # of those: only from some step on, as when a hand moves before the camera
    dropped: float = 0.2  # per modality: absent from the whole clip
    gaps: float = 0.1  # per step: no face found
    unfeeling_text: float = 0.3  # neutral words whatever the emotion
    unfeeling_face: float = 0.15
    unfeeling_voice: float = 0.1
    conflict: float = 0.08  # one modality of another emotion than the other two
    contradiction: float = 0.3  # of clips of no given label: modalities of different emotions, none of them the truth
    alone: float = 0.2  # one modality and no other, its labels as frequent as in its own corpora
    held_out: float = 0.7  # share of items that the encoder did not learn from, where there are others

    def unfeeling(self, modality: str) -> float:
        """Share of clips in which this modality says nothing, whatever the emotion."""
        shares = {"speech": self.unfeeling_voice, "text": self.unfeeling_text, "vision": self.unfeeling_face}
        return shares.get(modality, 0.0)


CLEAN = Mix(
    corrupted=0,
    partial=0,
    dropped=0,
    gaps=0,
    unfeeling_text=0,
    unfeeling_face=0,
    unfeeling_voice=0,
    conflict=0,
    contradiction=0,
    alone=0,
    held_out=1,
)


@dataclass
class Batch:
    """B clips of T steps; ``severity`` and ``teacher_logits`` are those of each modality at each step."""

    speech: Tensor  # (B,T,128)
    text: Tensor  # (B,T,768)
    vision: Tensor  # (B,T,512)
    present: Tensor  # (B,T,M) bool
    severity: Tensor  # (B,T,M)
    teacher_logits: Tensor  # (B,T,M,C), logits of each encoder's own head
    target: Tensor  # (B,)
    own: Tensor | None = None  # (B,M), the label of each modality's own item
    contradicts: Tensor | None = None  # (B,) bool: modalities of different emotions, with no truth between them
    augmented: int = 0  # the last ones are the first ones again, at other severities
    more: InitVar[dict[str, Tensor] | None] = None  # (B,T,d) of any other modality; each becomes an attribute too

    def __post_init__(self, more: dict[str, Tensor] | None) -> None:
        vars(self).update(more or {})

    def to(self, device: torch.device) -> Batch:
        return self._each(lambda value: value.to(device, non_blocking=True))

    def share(self, rank: int, size: int) -> Batch:
        """The part of one of ``size`` processes: as many clips as each other's, augmented ones with their originals.

        What cannot be shared equally, at most ``size`` - 1 augmented clips and as many others, is left out.
        """
        alone = len(self.target) - self.augmented
        if alone < size:
            raise HFFError(say("training.batch", items=alone, processes=size))
        again, once, first = self.augmented // size, (alone - self.augmented) // size, self.augmented
        if not again and not once:  # of either kind too few, of both together enough
            once, first = alone // size, 0
        own = torch.arange(again) * size + rank
        rows = torch.cat([own, first + torch.arange(once) * size + rank, alone + own]).to(self.target.device)
        return dataclasses.replace(self._each(lambda value: value[rows]), augmented=again)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        more = {name: tensors.pop(name) for name in tensors.keys() - _OWN}
        return dataclasses.replace(self, **tensors, more=more)

    def inputs(self) -> dict[str, Tensor]:
        return {name: vars(self)[name] for name in (*MODALITIES, "present")}


_OWN = frozenset(one.name for one in dataclasses.fields(Batch))
# Read back, and so handed on by ``dataclasses.replace``: the attributes that ``more`` has added.
Batch.more = property(lambda batch: {m: vars(batch)[m] for m in vars(batch) if m not in _OWN})  # type: ignore[attr-defined]


_VOICE, _FACE = MODALITIES.index("speech"), MODALITIES.index("vision")


@dataclass
class Draw:
    """One clip before its features are looked up: items, variants and presence."""

    items: tuple[int, ...]  # M
    variants: np.ndarray  # (T,M) variant index per step
    present: np.ndarray  # (T,M)
    target: int
    contradicts: bool = False


class PairedClips:
    """The cached items of one split, by label, and clips drawn from them."""

    def __init__(self, folder: Path, split: str, labels: Sequence[str]) -> None:
        """labels: their names, in order; without ``NEUTRAL`` among them no partner is unfeeling.

        Raises ``HFFError`` where the features are of another number of labels.
        """
        self.neutral = labels.index(NEUTRAL) if NEUTRAL in labels else None
        self.stored = {m: feature_files.load(folder, m, split) for m in MODALITIES}
        self.labels = self.stored[MODALITIES[0]]["teacher_logits"].shape[-1]  # C
        if self.labels != len(labels):
            raise HFFError(say("features.labels", folder=folder, found=self.labels, wanted=len(labels)))
        self.by_label = {
            m: [np.flatnonzero((self.stored[m]["label"] == c).numpy()) for c in range(self.labels)] for m in MODALITIES
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

    def choose(self, rng: np.random.Generator, mix: Mix, label: int | None = None) -> Draw:
        """Draw one clip; with a ``label``, one of that emotion, which is then not of one modality on purpose."""
        if label is None and rng.random() < mix.alone:
            return self._choose_alone(int(rng.integers(len(MODALITIES))), rng, mix)
        if label is None and rng.random() < mix.contradiction:
            return self._choose_contradiction(rng, mix)
        target = int(rng.integers(self.labels)) if label is None else label
        count = len(MODALITIES)
        labels = [target] * count
        for m, modality in enumerate(MODALITIES):
            if rng.random() < mix.unfeeling(modality) and self.neutral is not None:
                labels[m] = self.neutral
        if rng.random() < mix.conflict and len(set(labels)) == 1:
            labels[rng.integers(count)] = int(rng.integers(self.labels))
        items = tuple(
            self._words(label, target, rng, mix) if m == "text" else self._item(m, label, rng, mix)
            for m, label in zip(MODALITIES, labels, strict=True)
        )
        steps = self._steps(items)
        present = rng.random(count) >= mix.dropped
        if not present.any():
            present[rng.integers(count)] = True
        if not present[_VOICE] and rng.random() < 0.3:
            steps = int(rng.integers(1, 4))  # a typed sentence or a picture alone is a clip of one step
        grid = np.broadcast_to(present, (steps, count)).copy()
        grid[:, _FACE] &= (rng.random(steps) >= mix.gaps) | (steps == 1)
        return Draw(items, self._variants(steps, rng, mix), grid, target)

    def _choose_alone(self, place: int, rng: np.random.Generator, mix: Mix) -> Draw:
        """A clip of one modality, so that it alone is read as well as its encoder's own head would."""
        target = int(rng.choice(self.labels, p=self.frequency[MODALITIES[place]]))
        items = tuple(self._item(m, target, rng, mix) for m in MODALITIES)
        steps = self._steps(items) if place == _VOICE else int(rng.integers(1, 4))
        grid = np.broadcast_to(np.arange(len(MODALITIES)) == place, (steps, len(MODALITIES))).copy()
        return Draw(items, self._variants(steps, rng, mix), grid, target)

    def _choose_contradiction(self, rng: np.random.Generator, mix: Mix) -> Draw:
        """Two modalities of different emotions; any other is absent, on one side, or of an emotion of its own."""
        count = len(MODALITIES)
        labels = rng.integers(self.labels, size=count)
        labels[:2] = rng.choice(self.labels, 2, replace=False)
        sides = (rng.random(count) < 0.5) & (np.arange(count) >= 2)
        labels[sides] = labels[rng.integers(2, size=int(sides.sum()))]
        order = rng.permutation(count)
        drawn = dict(zip((MODALITIES[m] for m in order), labels.tolist(), strict=True))
        items = tuple(self._item(m, drawn[m], rng, mix) for m in MODALITIES)
        present = np.ones(count, bool)
        present[order[2:]] = rng.random(count - 2) < 0.4
        steps = self._steps(items) if present[_VOICE] else int(rng.integers(1, 4))
        grid = np.broadcast_to(present, (steps, count)).copy()
        return Draw(items, self._variants(steps, rng, mix), grid, drawn[MODALITIES[order[0]]], contradicts=True)

    def _steps(self, items: tuple[int, ...]) -> int:
        """How long a clip is: as long as its voice."""
        return int(self.stored["speech"]["length"][items[_VOICE]])

    def _variants(self, steps: int, rng: np.random.Generator, mix: Mix) -> np.ndarray:
        """(T,M) which variant of each modality's item stands at each step."""
        variants = np.zeros((steps, len(MODALITIES)), int)
        for m, modality in enumerate(MODALITIES):
            if rng.random() < mix.corrupted:
                variants[:, m] = rng.integers(1, self.variants(modality))
                if rng.random() < mix.partial:
                    variants[: rng.integers(steps + 1), m] = 0
        return variants

    def augmented(self, choice: Draw, rng: np.random.Generator) -> Draw:
        """The same clip with every modality at another random severity."""
        drawn = [rng.integers(0, self.variants(m)) for m in MODALITIES]
        return Draw(
            choice.items,
            np.broadcast_to(drawn, choice.variants.shape).copy(),
            choice.present,
            choice.target,
            choice.contradicts,
        )

    def collate(self, choices: list[Draw], rng: np.random.Generator) -> Batch:
        """Look the features up and pad to the longest clip."""
        steps = max(len(c.present) for c in choices)
        size, count = (len(choices), steps), len(MODALITIES)
        features = {m: torch.zeros(*size, self.stored[m]["features"].shape[-1]) for m in MODALITIES}
        whole = dict(features)
        own = [self.stored[m]["label"][[c.items[i] for c in choices]] for i, m in enumerate(MODALITIES)]
        batch = Batch(
            **{m: features.pop(m) for m in ("speech", "text", "vision")},
            more=features,
            present=torch.zeros(*size, count, dtype=torch.bool),
            severity=torch.zeros(*size, count),
            teacher_logits=torch.zeros(*size, count, self.labels),
            target=torch.tensor([c.target for c in choices]),
            own=torch.stack(own, 1),
            contradicts=torch.tensor([c.contradicts for c in choices]),
        )
        for b, choice in enumerate(choices):
            length = len(choice.present)
            t = torch.arange(length)
            v = torch.from_numpy(choice.variants)
            present = torch.from_numpy(choice.present.copy())
            for m, (modality, item) in enumerate(zip(MODALITIES, choice.items, strict=True)):
                stored = self.stored[modality]
                place: tuple = (item, v[:, m])
                if "there" in stored:  # over time
                    place = *place, t
                    present[:, m] &= stored["there"][place]
                elif stored["features"].ndim == 4:  # several views, any of them at any time
                    place = *place, torch.from_numpy(rng.integers(0, stored["features"].shape[2], length))
                whole[modality][b, :length] = stored["features"][place]
                batch.teacher_logits[b, :length, m] = stored["teacher_logits"][place]
            if not present.any():
                present[:, 1] = True  # a voice lost in noise, alone: the words stand in
            batch.present[b, :length] = present
            for m, modality in enumerate(MODALITIES):
                batch.severity[b, :length, m] = self.stored[modality]["severity"][choice.items[m], v[:, m]]
        return batch

    def batches(self, choices: list[Draw], rng: np.random.Generator, size: int = 100) -> list[Batch]:
        """The choices, looked up ``size`` at a time."""
        return [self.collate(choices[first : first + size], rng) for first in range(0, len(choices), size)]

    def _item(self, modality: str, label: int, rng: np.random.Generator, mix: Mix) -> int:
        pool = self.pools[modality][bool(rng.random() < mix.held_out)][label]
        return int(rng.choice(pool if len(pool) else self.by_label[modality][label]))

    def _words(self, label: int, target: int, rng: np.random.Generator, mix: Mix) -> int:
        if label == self.neutral and target != self.neutral and rng.random() < 0.3:
            return int(rng.choice(self.fixed_text))
        return self._item("text", label, rng, mix)
