"""Does alpha tell the truth? What the weights and uncertainties mean, measured on class-paired clips.

One module a measure: ``faithfulness`` (is alpha high where a modality moved the answer), ``cross_modal_conflict`` (who
wins where two contradict each other), ``unseen_corruption`` (does alpha leave what nothing was trained on),
``uncertainty_calibration`` (is sigma^2 the modality's own expected error) and ``out_of_distribution`` (is it high on
what is strange). Here they are put together, for the command ``truth`` and the model card.
"""

from __future__ import annotations

from pathlib import Path

import torch

from hff.config import MODALITIES
from hff.model.hff import HFF
from train.evaluation.cross_modal_conflict import conflict_rows, conflict_table
from train.evaluation.faithfulness import alpha_row, faithfulness_table
from train.evaluation.out_of_distribution import strangers, strangers_table
from train.evaluation.robustness import COMMAND
from train.evaluation.subset_answers import TRUTH_SEED, Judged, judge
from train.evaluation.uncertainty_calibration import variance_scale, variance_scale_table
from train.evaluation.unseen_corruption import leaving, unseen_corruption_table
from train.fusion.pairing import CLEAN, Mix, PairedClips
from train.fusion.training import fixed_clips
from train.metrics import expected_calibration_error

TRUTH_CLIPS = 700  # of each kind


def measure(model: HFF, folder: Path, device: torch.device, half: str = "test") -> dict[str, list[list]]:
    """The rows of every table, by its name, on the ``half`` of the cached features in ``folder``."""
    model = model.eval()
    splits = {"kinds of the training": half} | ({"kinds never trained on": "unseen"} if half == "test" else {})
    labels = model.config.labels
    plain = PairedClips(folder, half, labels)
    corrupted = PairedClips(folder, f"field-{half}", labels)
    pairs = {kinds: plain if split == half else PairedClips(folder, split, labels) for kinds, split in splits.items()}
    pairs["a classroom's"] = corrupted
    read = {
        kinds: judge(model, fixed_clips(own, TRUTH_CLIPS, Mix(held_out=1), TRUTH_SEED), device)
        for kinds, own in pairs.items()
    }
    clean = judge(model, fixed_clips(plain, TRUTH_CLIPS, CLEAN, TRUTH_SEED + 2), device)
    named = {f"mixed, {kinds}": judged for kinds, judged in read.items()} | {"clean": clean}
    return {
        "alpha": [[kinds, *alpha_row(judged)] for kinds, judged in (read | {"none": clean}).items()],
        "conflicts": list(conflict_rows(model, plain, folder, half, TRUTH_CLIPS // 2, device)),
        "leaving": list(leaving(model, corrupted, device)),
        "scale": [
            [modality, kind, *variance_scale(judged, m)]
            for kind, judged in named.items()
            for m, modality in enumerate(MODALITIES)
        ],
        "strangers": list(strangers(model, folder, plain, half, device)),
        "accuracy": [[kind, *_right(judged)] for kind, judged in named.items()],
    }


def _right(judged: Judged) -> list[float]:
    p, target = torch.from_numpy(judged.whole), torch.from_numpy(judged.target)
    return [float((p.argmax(1) == target).float().mean()), expected_calibration_error(p, target)]


def tables(model: HFF, folder: Path, device: torch.device, half: str = "test") -> list[dict]:
    """The card's section: what ``measure`` finds on the items of a half."""
    found = measure(model, folder, device, half)
    return [
        faithfulness_table(found["alpha"]),
        conflict_table(found["conflicts"]),
        unseen_corruption_table(found["leaving"]),
        variance_scale_table(found["scale"]),
        strangers_table(found["strangers"]),
        accuracy_table(found["accuracy"]),
    ]


def accuracy_table(rows: list[list]) -> dict:
    return {
        "title": "Calibration under a classroom's damage",
        "note": "Mixed clips; damage of the kinds named.",
        "command": COMMAND,
        "columns": ["clips", "accuracy", "ECE"],
        "rows": rows,
    }
