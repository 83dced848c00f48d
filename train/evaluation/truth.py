"""Does alpha tell the truth? What the weights and uncertainties mean, measured on class-paired clips.

Shapley values and the deletion test (is alpha high where a modality moved the answer), contradictions (does the surer
one win, and is the answer no surer than that one), damage never trained on (does alpha leave), the scale of sigma^2
(is it the modality's own expected error), and known against strange input (is sigma^2 high on what is unlike the
training). Everything is read as the app reads it: a modality alone is the whole model with only that one present.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from hff.config import MODALITIES
from hff.model.hff import HFF
from hff.pipeline.shapley import Subset, shapley_values, subsets
from hff.result import clip_alpha
from train.evaluation.robustness import COMMAND, outputs
from train.fusion import calibration, strange
from train.fusion.field_corruption import FIELD
from train.fusion.pairing import CLEAN, Batch, Draw, Mix, PairedClips
from train.metrics import brier, expected_calibration_error

TRUTH_CLIPS = 700  # of each kind
TRUTH_SEED = 203
BINS = 10
VOICE_AND_FACE = (MODALITIES.index("speech"), MODALITIES.index("vision"))


@dataclass
class Judged:
    """What the model says of N clips: by subset, and the clip's own figures of each modality (nan where absent)."""

    probabilities: dict[Subset, np.ndarray]  # (N,C)
    alpha: np.ndarray  # (N,M)
    variance: np.ndarray  # (N,M)
    epistemic: np.ndarray  # (N,M)
    target: np.ndarray  # (N,)
    own: np.ndarray  # (N,M), the label of each modality's own item
    present: np.ndarray  # (N,M)

    @property
    def whole(self) -> np.ndarray:
        return self.probabilities[frozenset(MODALITIES)]

    def alone(self, modality: str) -> np.ndarray:
        return self.probabilities[frozenset({modality})]

    def of(self, kept: np.ndarray) -> Judged:
        """The clips at which ``kept`` (N,) holds."""
        parts = {
            name: getattr(self, name)[kept] for name in ("alpha", "variance", "epistemic", "target", "own", "present")
        }
        return Judged({subset: p[kept] for subset, p in self.probabilities.items()}, **parts)


def judge(model: HFF, clips: list[Batch], device: torch.device, every_subset: bool = True) -> Judged:
    """Read clips as a whole, and as each subset (else as each modality alone)."""
    most = len(MODALITIES) - 1 if every_subset else 1
    wanted = [s for s in subsets(MODALITIES) if 1 <= len(s) <= most]
    probabilities = {
        s: np.concatenate([o.probabilities.cpu().numpy() for _, o in outputs(model, clips, device, keep=tuple(s))])
        for s in wanted
    }
    whole, alpha, variance, epistemic, present = [], [], [], [], []
    for clip, output in outputs(model, clips, device):
        whole.append(output.probabilities.cpu().numpy())
        there = clip.present.numpy()
        weights, beta = output.alpha.cpu().numpy(), output.beta.cpu().numpy()
        alpha += [clip_alpha(*each) for each in zip(weights, there, beta, strict=True)]
        variance.append(_mean_there(output.variance.cpu().numpy(), there))
        epistemic.append(_mean_there(output.epistemic.cpu().numpy(), there))
        present.append(there.any(1))
    probabilities[frozenset(MODALITIES)] = np.concatenate(whole)
    target, own = (torch.cat(part).numpy() for part in ([c.target for c in clips], [c.own for c in clips]))
    spread, open_part = np.concatenate(variance), np.concatenate(epistemic)
    return Judged(probabilities, np.array(alpha), spread, open_part, target, own, np.concatenate(present))


def _mean_there(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(N,T,M) -> (N,M), nan where a modality never is there."""
    count = there.sum(1)
    return np.where(count > 0, (values * there).sum(1) / np.maximum(count, 1), np.nan)


# Alpha and what moved the answer


def shares(judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Of clips that hold every modality: Shapley values (N,M) of the answer's probability, and what removing takes."""
    top = judged.whole.argmax(1)
    rows = np.arange(len(top))
    value = {s: p[rows, top] for s, p in judged.probabilities.items()}
    value[frozenset()] = np.full(len(top), 1 / judged.whole.shape[1])
    everything = frozenset(MODALITIES)
    shapley = shapley_values(MODALITIES, lambda subset: value[subset])
    removal = [value[everything] - value[everything - {m}] for m in MODALITIES]
    return np.stack([shapley[m] for m in MODALITIES], 1), np.stack(removal, 1)


def alpha_row(judged: Judged) -> list:
    """Clips, Spearman within a clip with the Shapley value, same modality first by Shapley and by removal."""
    judged = judged.of(np.asarray(judged.present.all(1)))
    shapley, removal = shares(judged)
    within = [spearmanr(a, s).statistic for a, s in zip(judged.alpha, shapley, strict=True)]
    first = judged.alpha.argmax(1)
    alike = [first == shapley.argmax(1), first == removal.argmax(1)]
    return [len(first), *map(_mean, (within, *alike))]


def _mean(values) -> float | None:
    """The mean of what is a number; None where nothing is."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None


# Contradictions


def conflicts(pairs: PairedClips, count: int, seed: int = TRUTH_SEED) -> list[tuple[tuple[int, int], list[Batch]]]:
    """Clips of two clean modalities of different emotions, ``count`` of each pair of modalities."""
    rng = np.random.default_rng(seed)
    made = []
    for pair in itertools.combinations(range(len(MODALITIES)), 2):
        choices = [conflict(pairs, pair, rng) for _ in range(count)]
        made.append((pair, batches(pairs, choices, rng)))
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


def batches(pairs: PairedClips, choices: list[Draw], rng: np.random.Generator) -> list[Batch]:
    return [pairs.collate(choices[first : first + 100], rng) for first in range(0, len(choices), 100)]


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
    return [len(top), *map(_mean, (surer, above, top == winner, either))]


# Damage never trained on


def leaving(model: HFF, pairs: PairedClips, device: torch.device, count: int = 210) -> Iterator[list]:
    """Modality, kind of a classroom's damage, alpha clean, alpha broken, their ratio, share not even detected."""
    for m, modality in enumerate(MODALITIES):
        clean = _alpha_of(model, pairs, m, 0, count, device)[0]
        for number, kind in enumerate(FIELD.get(modality, ()), 1):
            broken, lost = _alpha_of(model, pairs, m, number, count, device)
            yield [modality, kind, clean, broken, broken / clean, lost]


def _alpha_of(
    model: HFF, pairs: PairedClips, m: int, variant: int, count: int, device: torch.device
) -> tuple[float, float]:
    """Mean alpha of modality m in clean clips in which it stands at ``variant``, and the share of clips without it."""
    rng = np.random.default_rng(TRUTH_SEED + 1)
    choices = [pairs.choose(rng, CLEAN, label=n % pairs.labels) for n in range(count)]
    for choice in choices:
        choice.variants[:, m] = variant
    alpha, lost = [], []
    for clip, output in outputs(model, batches(pairs, choices, rng), device):
        there = clip.present.numpy()
        each = zip(output.alpha.cpu().numpy(), there, output.beta.cpu().numpy(), strict=True)
        alpha += [clip_alpha(*one)[m] for one in each]
        lost.append(~there[..., m].any(1))
    return float(np.mean(alpha)), float(np.concatenate(lost).mean())


# The scale of sigma^2


def scale(judged: Judged, m: int) -> tuple[float, float, float, float]:
    """Of one modality: mean gap of sigma^2 to its own Brier error over ``BINS`` bins of as many clips each, largest
    sigma^2, mean sigma^2 and mean error."""
    there = judged.present[:, m]
    p = torch.from_numpy(judged.alone(MODALITIES[m])[there])
    error = brier(p, torch.from_numpy(judged.own[there, m])).numpy()
    variance = judged.variance[there, m]
    order = np.argsort(variance)
    gaps = [abs(float((variance[part] - error[part]).mean())) for part in np.array_split(order, BINS) if len(part)]
    return float(np.mean(gaps)), float(variance.max()), float(variance.mean()), float(error.mean())


# Known and strange


@torch.inference_mode()
def infer_alone(model: HFF, group: strange.Group, m: int, device: torch.device) -> tuple[np.ndarray, ...]:
    """Of clips of one modality: probabilities (N,C), sigma^2 (N,) and its epistemic part (N,)."""
    found: list[list[np.ndarray]] = [[], [], []]
    kept = group["there"].any(1)
    for features, there in zip(group["features"][kept].split(256), group["there"][kept].split(256), strict=True):
        inputs = calibration.alone_inputs(features, there, m, model.config.input_dims)
        output = model(**{name: value.to(device) for name, value in inputs.items()}, with_attention=False)
        has = inputs["present"].numpy()
        found[0].append(output.probabilities.cpu().numpy())
        for place, values in ((1, output.variance), (2, output.epistemic)):
            found[place].append(_mean_there(values.cpu().numpy(), has)[:, m])
    return tuple(np.concatenate(part) for part in found)


def strangers(model: HFF, folder: Path, pairs: PairedClips, half: str, device: torch.device) -> Iterator[list]:
    """Modality, group, items, AUROC of sigma^2 and of its epistemic part against known items, mean sigma^2, mean
    confidence, accuracy (None without labels)."""
    for modality in strange.STRANGE:
        m = MODALITIES.index(modality)
        _, usual, usual_epistemic = infer_alone(model, calibration.variant(pairs, modality, 0), m, device)
        for name, group in strange.load(folder, modality, half).items():
            p, variance, epistemic = infer_alone(model, group, m, device)
            label = group["label"].numpy()
            accuracy = float((p.argmax(1) == label).mean()) if (label >= 0).all() else None
            yield [
                modality,
                name,
                len(label),
                auroc(usual, variance),
                auroc(usual_epistemic, epistemic),
                float(variance.mean()),
                float(p.max(1).mean()),
                accuracy,
            ]


def auroc(usual: np.ndarray, other: np.ndarray) -> float:
    """How well larger values tell the others from the usual ones."""
    return float(roc_auc_score(np.r_[np.zeros(len(usual)), np.ones(len(other))], np.r_[usual, other]))


# All of it


def measure(model: HFF, folder: Path, device: torch.device, half: str = "test") -> dict:
    """Every table on the ``half`` of the cached features in ``folder``, rows as plain lists."""
    model = model.eval()
    splits = {"kinds of the training": half} | ({"kinds never trained on": "unseen"} if half == "test" else {})
    labels = model.config.labels
    pairs = {kinds: PairedClips(folder, split, labels) for kinds, split in splits.items()}
    damaged = PairedClips(folder, f"field-{half}", labels)
    pairs["a classroom's"] = damaged
    plain = pairs["kinds of the training"]
    found: dict = {"alpha": [], "conflicts": [], "scale": [], "accuracy": []}
    for kinds, own in pairs.items():
        mixed = judge(model, fixed(own, TRUTH_CLIPS, Mix(held_out=1), TRUTH_SEED), device)
        found["alpha"].append([kinds, *alpha_row(mixed)])
        found["scale"] += [[m, f"mixed, {kinds}", *scale(mixed, i)] for i, m in enumerate(MODALITIES)]
        found["accuracy"].append([f"mixed, {kinds}", *_right(mixed)])
    clean = judge(model, fixed(plain, TRUTH_CLIPS, CLEAN, TRUTH_SEED + 2), device)
    found["alpha"].append(["none", *alpha_row(clean)])
    found["scale"] += [[m, "clean", *scale(clean, i)] for i, m in enumerate(MODALITIES)]
    found["accuracy"].append(["clean", *_right(clean)])
    for pair, clips in conflicts(plain, TRUTH_CLIPS // 2):
        names = " against ".join(MODALITIES[m] for m in pair)
        found["conflicts"].append([names, *conflict_row(judge(model, clips, device, False), pair)])
    found["conflicts"] += [
        [f"{name} voice against vision", *conflict_row(judge(model, clips, device, False), VOICE_AND_FACE)]
        for name, clips in stranger_conflicts(plain, folder, half)
    ]
    found["leaving"] = list(leaving(model, damaged, device))
    found["strangers"] = list(strangers(model, folder, plain, half, device))
    return found


def fixed(pairs: PairedClips, count: int, mix: Mix, seed: int) -> list[Batch]:
    rng = np.random.default_rng(seed)
    return batches(pairs, [pairs.choose(rng, mix, label=n % pairs.labels) for n in range(count)], rng)


def _right(judged: Judged) -> list[float]:
    p, target = torch.from_numpy(judged.whole), torch.from_numpy(judged.target)
    return [float((p.argmax(1) == target).float().mean()), expected_calibration_error(p, target)]


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


def tables(model: HFF, folder: Path, device: torch.device, half: str = "test") -> list[dict]:
    """The card's section: what ``measure`` finds on the items of a half."""
    found = measure(model, folder, device, half)

    def table(title: str, note: str, columns: list[str], rows: list[list]) -> dict:
        return {"title": title, "note": note, "command": COMMAND, "columns": columns, "rows": rows}

    return [
        table(
            "Does alpha tell the truth? What moved the answer",
            "Clips in which every modality is somewhere present, under damage of the kinds named; alpha is the clip's. "
            "Mean Spearman within a clip of alpha and the Shapley value of the answer's probability; how often the "
            "modality with the largest alpha has the largest Shapley value, and how often it is the one whose removal "
            "takes most from the answer.",
            ["damage", "clips", "Spearman, within a clip", "same first, Shapley", "same first, removal"],
            found["alpha"],
        ),
        table(
            "Does alpha tell the truth? Contradictions",
            "Two clean modalities of different emotions that, each alone, are read as different. How often the answer "
            "is surer of itself than either modality alone is of it, how often surer than either is of anything, how "
            "often the one with the smaller sigma^2 wins, and how often the answer is that of one of them. Voices "
            "named by a language are of people and corpora that the fusion has never met.",
            ["modalities", "clips", "surer than any", "surer than the surest", "smaller sigma^2 wins", "one of two"],
            found["conflicts"],
        ),
        table(
            "Does alpha tell the truth? A classroom's damage",
            "Kinds of damage that nothing was trained on, each at its worst, in clips whose other modalities are "
            "clean: alpha of the modality clean and damaged, and their ratio. A voice that is no longer detected has "
            "alpha 0; how often that is.",
            ["modality", "damage", "alpha clean", "alpha broken", "ratio", "not detected"],
            found["leaving"],
        ),
        table(
            "Does sigma^2 tell the truth? Its scale",
            f"sigma^2 against the Brier error of that modality alone on its own label, over {BINS} bins of as many "
            "clips each: mean gap, largest sigma^2, mean sigma^2, mean error.",
            ["modality", "clips", "mean gap", "largest sigma^2", "mean sigma^2", "mean error"],
            found["scale"],
        ),
        table(
            "Does sigma^2 tell the truth? Known against strange",
            "Clean test items against what is unlike anything learned: how well sigma^2, and its epistemic part, tell "
            "them apart (AUROC; 0.5 is chance), and how sure the model is there. Accuracy where there are labels.",
            ["modality", "what", "items", "AUROC", "AUROC, epistemic", "mean sigma^2", "mean confidence", "accuracy"],
            found["strangers"],
        ),
        table(
            "Calibration under a classroom's damage",
            "Mixed clips; damage of the kinds named.",
            ["clips", "accuracy", "ECE"],
            found["accuracy"],
        ),
    ]
