"""HFF or a rival on dialogues: a video is a sequence of utterances, an utterance one step of the time grid.

Every model gets the same inputs: each utterance's features, normalised, and beside them their mean over the
video, since what a speaker says elsewhere tells about the utterance in question (Poria et al., ACL 2017). HFF and its
rivals read the whole sequence.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.config import MODALITIES, HFFConfig
from hff.model.hff import FusionOutput
from train.corpora.conversation import Conversation
from train.corpora.mmsa import Utterances
from train.engine.loop import Plan, fit
from train.experiments.benchmark.leaks import Leak, exchanged
from train.fusion.dialogue_batches import DialogueBatch, batches
from train.fusion.losses import EXPERT_WEIGHT, KL_WEIGHT, UNIMODAL_WEIGHT, VARIANCE_WEIGHT, expert_loss, variance_nll
from train.metrics import brier
from train.rivals import RivalOutput

LIMIT = 4.0  # standard deviations beyond which a normalised feature is cut
DIALOGUE_LABEL_SMOOTHING = 0.1
Build = Callable[[HFFConfig], nn.Module]  # of HFF or a rival


PLAN = Plan(
    epochs=15, learning_rate=2e-3, weight_decay=0.05, batch_size=8, patience=1000, schedule="cosine", bf16=False
)  # batches of videos


@dataclass(frozen=True)
class Recipe:
    """How a model of a few hundred to a few thousand utterances is built and trained; chosen by cross-validation."""

    d_model: int = 32
    layers: int = 1
    heads: int = 4
    dropout: float = 0.3
    classifier_dropout: float = 0.5
    input_dropout: float = 0.4
    plan: Plan = PLAN


class Grades:
    """Sentiment as classes: the two signs, or whole grades between which a label is shared.

    The sentiment of a distribution over them is its mean: one softmax gives the sign, its strength and an error.
    """

    def __init__(self, labels: np.ndarray) -> None:
        values = np.unique(labels)
        self.graded = len(values) > 2
        self.values = np.arange(np.floor(values[0]), np.ceil(values[-1]) + 1) if self.graded else values
        if len(self.values) < 2:
            self.values = np.array([values[0], values[0] + 1])
        self.names = tuple(f"{value:g}" for value in self.values)

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Labels (N,) -> distributions (N,C) whose mean is the label, over the two grades next to it."""
        position = np.interp(labels, self.values, np.arange(len(self.values)))
        return np.clip(1 - np.abs(position[:, None] - np.arange(len(self.values))), 0, 1).astype(np.float32)

    def sentiment(self, probabilities: np.ndarray) -> np.ndarray:
        """Distributions (N,C) -> their means (N,)."""
        return probabilities @ self.values


class DialogueModel(nn.Module):
    """A fusion model behind the normalisation of its inputs; logits for every utterance."""

    def __init__(self, build: Build, recipe: Recipe, grades: Grades, training: Utterances, leaks: list[Leak]) -> None:
        """Means and deviations are those of ``training``; leaking columns get no mean over the video."""
        super().__init__()
        sizes = {f"{m}_dim": 2 * training.features[m].shape[1] for m in MODALITIES}
        config = HFFConfig(
            labels=grades.names,
            d_model=recipe.d_model,
            layers=recipe.layers,
            heads=recipe.heads,
            dropout=recipe.dropout,
            classifier_dropout=recipe.classifier_dropout,
            bounded=False,
            **sizes,
        )
        self.fusion = build(config)
        self.dropout = nn.Dropout(recipe.input_dropout)
        for m in MODALITIES:
            x = compress(torch.from_numpy(training.features[m]))
            self.register_buffer(f"{m}_mean", x.mean(0))
            self.register_buffer(f"{m}_std", x.std(0, correction=0).clamp_min(1e-3))
            # Exchange spoils single utterances; over a whole video the leak would still show.
            honest = torch.ones(x.shape[1])
            for leak in leaks:
                honest[: leak.columns * (leak.modality == m)] = 0
            self.register_buffer(f"{m}_honest", honest)

    def forward(self, batch: DialogueBatch) -> tuple[Tensor, FusionOutput | RivalOutput]:
        """Logits of the batch's valid utterances (N,C), and the fusion's whole output."""
        features = {m: self._with_context(m, batch.features[m], batch.mask) for m in MODALITIES}
        output = self.fusion(**features, present=batch.present, speakers=batch.speakers, with_attention=False)
        return output.step_logits[0][batch.mask].float(), output

    def _with_context(self, modality: str, x: Tensor, valid: Tensor) -> Tensor:
        """(V,T,d) -> (V,T,2d): each utterance's normalised features and their mean over the video."""
        mean, std, honest = (getattr(self, f"{modality}_{name}") for name in ("mean", "std", "honest"))
        x = ((compress(x) - mean) / std).clamp(-LIMIT, LIMIT)
        there = valid[..., None].float()
        video = (x * there).sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp_min(1) * honest
        return self.dropout(torch.cat([x, video.expand_as(x)], dim=-1))


def compress(x: Tensor) -> Tensor:
    """Signed logarithm: energies and pitch statistics have long tails; small values pass nearly unchanged."""
    return x.sign() * x.abs().log1p()


def loss(model: DialogueModel, batch: DialogueBatch) -> Tensor:
    """Cross-entropy of every utterance; for HFF also what its sigma^2 and alpha are trained to (``losses``)."""
    logits, output = model(batch)
    target = batch.target[batch.mask]
    value = F.cross_entropy(logits, target, label_smoothing=DIALOGUE_LABEL_SMOOTHING)
    if isinstance(output, RivalOutput):
        return value if output.auxiliary is None else value + output.auxiliary
    there = batch.present[batch.mask]
    alone = output.alone_logits[batch.mask].float()  # (N,M,C)
    truth = target.argmax(-1)[:, None].expand(there.shape)
    wanted = target[:, None].expand_as(alone)
    each = F.cross_entropy(alone.flatten(0, 1), wanted.flatten(0, 1), reduction="none").view_as(there.float())
    variance = output.variance[batch.mask].float().clamp_min(1e-6)
    error = brier(alone.detach().softmax(-1), truth)
    expert = expert_loss(output.alpha[batch.mask].float(), alone.softmax(-1), truth[:, 0])
    by_modality = UNIMODAL_WEIGHT * each + VARIANCE_WEIGHT * variance_nll(variance, error)
    return value + by_modality[there].mean() + EXPERT_WEIGHT * expert.mean() + KL_WEIGHT * model.fusion.kl()


def conversations(utterances: Utterances) -> list[Conversation]:
    """Each video as a monologue of its utterances, whose words are always there."""
    present = np.stack([(utterances.features[m] != 0).any(1) | (m == "text") for m in MODALITIES], axis=1)
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(utterances.videos):
        rows.setdefault(name, []).append(i)
    return [
        Conversation(
            name,
            {m: x[chosen] for m, x in utterances.features.items()},
            utterances.labels[chosen],
            [name] * len(chosen),
            present=present[chosen],
        )
        for name, chosen in rows.items()
    ]


def train(
    build: Build,
    recipe: Recipe,
    grades: Grades,
    training: Utterances,
    leaks: list[Leak],
    seed: int,
    folder: Path,
    device: torch.device,
) -> DialogueModel:
    """Train for the recipe's number of epochs; the log and the weights are in ``folder``."""
    plan = replace(recipe.plan, seed=seed)
    torch.manual_seed(seed)
    model = DialogueModel(build, recipe, grades, training, leaks)
    count = -(-len(set(training.videos)) // plan.batch_size)

    reached = 0

    def of_epoch(epoch: int) -> Iterator[DialogueBatch]:
        nonlocal reached
        reached = epoch
        rng = np.random.default_rng([seed, epoch])
        spoilt = replace(training, features=exchanged(training.features, leaks, rng))
        return (batch.to(device) for batch in batches(conversations(spoilt), grades, plan.batch_size, rng))

    def validate(model: nn.Module) -> dict[str, float]:
        # The number of epochs comes from cross-validation: the last epoch's weights are the ones to keep.
        return {"score": float(reached)}

    with contextlib.redirect_stdout(io.StringIO()):  # hundreds of short runs: their lines are in each log.csv
        fit(model, of_epoch, count, loss, validate, plan, folder, device)
    return model


@torch.no_grad()
def predict(model: DialogueModel, utterances: Utterances, grades: Grades, device: torch.device) -> np.ndarray:
    """Distributions (N,C) in the order of ``utterances``."""
    model.eval()
    parts = [model(batch.to(device))[0].softmax(-1).cpu() for batch in batches(conversations(utterances), grades, 16)]
    return torch.cat(parts).numpy()
