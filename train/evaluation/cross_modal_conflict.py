"""Two modalities of different emotions: does the surer one win, and is the answer no surer than that one?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from hff.config import MODALITIES
from hff.model.hff import HFF
from train.evaluation.robustness import COMMAND
from train.evaluation.subset_answers import TRUTH_SEED, Judged, judge, mean_of_numbers
from train.fusion import strange
from train.fusion.pairing import CLEAN, Batch, Draw, PairedClips

VOICE_AND_FACE = (MODALITIES.index("speech"), MODALITIES.index("vision"))


def conflicting_clips(
    pairs: PairedClips, count: int, seed: int = TRUTH_SEED
) -> list[tuple[tuple[int, int], list[Batch]]]:
    """Clips of two clean modalities of different emotions, ``count`` of each pair of modalities."""
    rng = np.random.default_rng(seed)
    made = []
    for pair in itertools.combinations(range(len(MODALITIES)), 2):
        choices = [conflict(pairs, pair, rng) for _ in range(count)]
        made.append((pair, pairs.batches(choices, rng)))
    return made


def conflict(pairs: PairedClips, pair: tuple[int, int], rng: np.random.Generator) -> Draw:
    """One clip in which the two modalities show different emotions and any other is absent."""
    own, other = rng.permutation(pairs.labels)[:2]
    choices = [pairs.choose(rng, CLEAN, label=int(label)) for label in (own, other)]
    items, steps = list(choices[0].items), len(choices[0].present)
    items[pair[1]] = choices[1].items[pair[1]]
    if "speech" not in (MODALITIES[m] for m in pair):
        steps = int(rng.integers(1, 4))
    there = np.broadcast_to([m in pair for m in range(len(MODALITIES))], (steps, len(MODALITIES))).copy()
    return Draw(tuple(items), np.zeros(there.shape, int), there, choices[0].target)


def conflict_row(judged: Judged, pair: tuple[int, int]) -> list:
    """Clips in which the two say different things; share surer than either; smaller sigma^2 wins; one of them wins."""
    first, second = (judged.alone(MODALITIES[m]) for m in pair)
    kept = judged.present[:, list(pair)].all(1) & (first.argmax(1) != second.argmax(1))
    first, second, judged = first[kept], second[kept], judged.of(kept)
    rows, top = np.arange(len(first)), judged.whole.argmax(1)
    surer = judged.whole[rows, top] > np.maximum(first[rows, top], second[rows, top]) + 1e-4
    smaller = judged.variance[:, pair[0]] <= judged.variance[:, pair[1]]
    winner = np.where(smaller, first.argmax(1), second.argmax(1))
    either = (top == first.argmax(1)) | (top == second.argmax(1))
    above = judged.whole.max(1) > np.maximum(first.max(1), second.max(1)) + 1e-4
    return [len(top), *map(mean_of_numbers, (surer, above, top == winner, either))]


def stranger_conflicts(pairs: PairedClips, folder: Path, half: str) -> Iterator[tuple[str, list[Batch]]]:
    """A face and the voice of somebody never heard, of different emotions."""
    faces = pairs.stored["vision"]
    for name, group in strange.load(folder, "speech", half).items():
        if (group["label"] < 0).any():
            continue
        rng = np.random.default_rng(TRUTH_SEED + 5)
        made = []
        for rows in torch.arange(len(group["label"])).split(100):
            label = group["label"][rows]
            drawn = [rng.choice(np.flatnonzero((faces["label"] != one).numpy())) for one in label]
            steps, size = group["there"].shape[1], len(rows)
            heard = group["there"][rows]
            inside = torch.arange(steps) <= (heard * torch.arange(steps)).amax(1, keepdim=True)
            there = {"speech": heard, "vision": inside}
            shown = {"speech": group["features"][rows], "vision": faces["features"][drawn, 0, :1].expand(-1, steps, -1)}
            labels = {"speech": label, "vision": faces["label"][drawn]}
            given = {
                m: shown[m] if m in shown else torch.zeros(size, steps, pairs.stored[m]["features"].shape[-1])
                for m in MODALITIES
            }
            present = torch.stack([there.get(m, torch.zeros_like(heard)) for m in MODALITIES], dim=2)
            made.append(
                Batch(
                    **{m: given.pop(m) for m in ("speech", "text", "vision")},
                    more=given,
                    present=present,
                    severity=torch.zeros(present.shape),
                    teacher_logits=torch.zeros(*present.shape, pairs.labels),
                    target=labels["vision"],
                    own=torch.stack([labels.get(m, torch.zeros_like(label)) for m in MODALITIES], 1),
                )
            )
        yield name, made


def conflict_rows(
    model: HFF, pairs: PairedClips, folder: Path, half: str, count: int, device: torch.device
) -> Iterator[list]:
    """The rows of ``conflict_table``: ``count`` clips of each pair of modalities, then voices of strangers."""
    made = [
        (" against ".join(MODALITIES[m] for m in pair), pair, clips) for pair, clips in conflicting_clips(pairs, count)
    ]
    for name, clips in stranger_conflicts(pairs, folder, half):
        made.append((f"{name} voice against vision", VOICE_AND_FACE, clips))
    for name, pair, clips in made:
        yield [name, *conflict_row(judge(model, clips, device, every_subset=False), pair)]


def conflict_table(rows: list[list]) -> dict:
    return {
        "title": "Does alpha tell the truth? Contradictions",
        "note": "Two clean modalities of different emotions that, each alone, are read as different. How often the "
        "answer is surer of itself than either modality alone is of it, how often surer than either is of anything, "
        "how often the one with the smaller sigma^2 wins, and how often the answer is that of one of them. Voices "
        "named by a language are of people and corpora that the fusion has never met.",
        "command": COMMAND,
        "columns": [
            "modalities",
            "clips",
            "surer than any",
            "surer than the surest",
            "smaller sigma^2 wins",
            "one of two",
        ],
        "rows": rows,
    }
