"""HFF or a rival on dialogues: a dialogue is a sequence of utterances, an utterance one step of the time grid.

Every model gets the same inputs: each utterance's features, normalised, and beside them their mean over the
dialogue (with ``past_only`` over what has been said so far), since what is said elsewhere tells about the utterance in
question (Poria et al., ACL 2017). All read the whole sequence.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.config import MODALITIES, HFFConfig
from hff.model.hff import FusionOutput
from train.corpora.conversation import Conversation, all_labels, stacked, with_features
from train.encoders.dialogue_text import DialogueTextEncoder, DialogueTokenizer
from train.engine.loop import Plan, autocast, fit
from train.experiments.benchmark.leaks import Leak, exchanged
from train.experiments.benchmark.tasks import Emotions, Grades
from train.fusion.dialogue_batches import DialogueBatch, Task, batches
from train.fusion.losses import EXPERT_WEIGHT, KL_WEIGHT, UNIMODAL_WEIGHT, VARIANCE_WEIGHT, expert_loss, variance_nll
from train.metrics import brier
from train.rivals import RivalOutput
from train.rivals.rival import means_around

LIMIT = 4.0  # standard deviations beyond which a normalised feature is cut
DIALOGUE_LABEL_SMOOTHING = 0.1
READ_AT_ONCE = 16  # dialogues
Build = Callable[[HFFConfig], nn.Module]  # of HFF or a rival


PLAN = Plan(
    epochs=15, learning_rate=2e-3, weight_decay=0.05, batch_size=8, patience=1000, schedule="cosine", bf16=False
)  # batches of videos


@dataclass(frozen=True)
class Recipe:
    """How a model of a few hundred to a few thousand utterances is built and trained.

    As it stands it was chosen by cross-validation on CMU-MOSI's videos of opinions.
    """

    d_model: int = 32
    layers: int = 1
    heads: int = 4
    dropout: float = 0.3
    classifier_dropout: float = 0.5
    input_dropout: float = 0.4
    speakers: int = 0  # that are told apart, see ``HFFConfig``
    past_only: bool = False
    words: str = ""  # the encoder of the words that learns along, as ``DialogueTextEncoder`` starts it; "" for none
    plan: Plan = PLAN


FOR_OPINIONS = Recipe()
# Of emotions, which have more dialogues than there are videos of opinions; chosen on the validation part of MELD, where
# HFF's weighted F1 is .581 with it and .558 with that of opinions (with an eighth of the steps .576 and .551).
FOR_EMOTIONS = Recipe(
    d_model=128,
    dropout=0.1,
    classifier_dropout=0.3,
    input_dropout=0.2,
    plan=replace(PLAN, learning_rate=1e-3),
)
# With an encoder that learns along; chosen on the validation parts of MELD and EmoryNLP.
TUNED = Recipe(
    d_model=64,
    dropout=0.1,
    classifier_dropout=0.3,
    input_dropout=0.2,
    plan=Plan(
        epochs=5,
        learning_rate=2e-3,
        batch_size=8,
        patience=1000,
        schedule="cosine",
        slow="words.",
        slow_rate=0.05,
    ),
)
HEAD_WEIGHT = 1.0  # of what the encoder says by itself, which teaches it most directly


class DialogueModel(nn.Module):
    """A fusion model behind the normalisation of its inputs; logits for every utterance."""

    def __init__(
        self, build: Build, recipe: Recipe, task: Task, training: Sequence[Conversation], leaks: Sequence[Leak] = ()
    ) -> None:
        """Means and deviations are those of ``training``; leaking columns get no mean over the dialogue."""
        super().__init__()
        features = {m: compress(torch.from_numpy(stacked(training, m))) for m in MODALITIES}
        sizes = {m: x.shape[1] for m, x in features.items()}
        self.past_only = recipe.past_only
        self.words = DialogueTextEncoder(recipe.words, recipe.past_only) if recipe.words else None
        if self.words is not None:
            del features["text"]
            sizes["text"] = self.words.feature_dim
            self.text_norm = nn.LayerNorm(self.words.feature_dim, elementwise_affine=False)
            self.text_head = nn.Sequential(nn.Dropout(0.1), nn.Linear(self.words.feature_dim, len(task.names)))
        self.fusion = build(
            HFFConfig(
                labels=task.names,
                d_model=recipe.d_model,
                layers=recipe.layers,
                heads=recipe.heads,
                dropout=recipe.dropout,
                classifier_dropout=recipe.classifier_dropout,
                speakers=recipe.speakers,
                past_only=recipe.past_only,
                bounded=False,
                dims={m: 2 * size for m, size in sizes.items()},
            )
        )
        self.tokenizer = DialogueTokenizer(self.words.folder) if self.words is not None else None
        self.dropout = nn.Dropout(recipe.input_dropout)
        for m, x in features.items():
            self.register_buffer(f"{m}_mean", x.mean(0))
            self.register_buffer(f"{m}_std", x.std(0, correction=0).clamp_min(1e-3))
            # Exchange spoils single utterances; over a whole video the leak would still show.
            honest = torch.ones(x.shape[1])
            for leak in leaks:
                honest[: leak.columns * (leak.modality == m)] = 0
            self.register_buffer(f"{m}_honest", honest)

    def forward(self, batch: DialogueBatch) -> tuple[Tensor, FusionOutput | RivalOutput]:
        """Logits of all the batch's utterances (N,C), and the fusion's whole output."""
        logits, output, _ = self.read(batch)
        return logits, output

    def read(self, batch: DialogueBatch) -> tuple[Tensor, FusionOutput | RivalOutput, Tensor | None]:
        """Logits and output as of ``forward``, and what an encoder that learns along says by itself (N,C)."""
        features = {m: self._normalised(m, batch.features[m]) for m in MODALITIES if hasattr(self, f"{m}_mean")}
        present, alone = batch.present, None
        if self.words is not None:
            assert batch.words is not None, "asked of batches without their words"
            text = self.words(batch.words, batch.mask.numel()).view(*batch.mask.shape, -1)
            features["text"] = self.text_norm(text) * batch.mask[..., None]
            alone = self.text_head(features["text"][batch.mask]).float()
            present = present.clone()
            present[..., MODALITIES.index("text")] = batch.mask
        given = {m: self._with_context(m, x, batch.mask) for m, x in features.items()}
        output = self.fusion(**given, present=present, speakers=batch.speakers, with_attention=False)
        return output.step_logits[0][batch.mask].float(), output, alone

    def _normalised(self, modality: str, x: Tensor) -> Tensor:
        mean, std = (getattr(self, f"{modality}_{name}") for name in ("mean", "std"))
        return ((compress(x) - mean) / std).clamp(-LIMIT, LIMIT)

    def _with_context(self, modality: str, x: Tensor, mask: Tensor) -> Tensor:
        """(B,T,d) -> (B,T,2d): each utterance's features and their mean over the dialogue."""
        honest = getattr(self, f"{modality}_honest", 1.0)
        return self.dropout(torch.cat([x, means_around(x, mask, self.past_only) * honest], dim=-1))


def compress(x: Tensor) -> Tensor:
    """Signed logarithm: energies and pitch statistics have long tails; small values pass nearly unchanged."""
    return x.sign() * x.abs().log1p()


def loss(model: DialogueModel, batch: DialogueBatch) -> Tensor:
    """Cross-entropy of every labelled utterance; for HFF also what sigma^2 and alpha are trained to (``losses``)."""
    logits, output, alone_words = model.read(batch)
    labelled = batch.labelled
    if not labelled.any():
        return 0 * logits.sum()
    target = batch.target[labelled]
    scored = labelled[batch.mask]
    value = F.cross_entropy(logits[scored], target, label_smoothing=DIALOGUE_LABEL_SMOOTHING)
    if alone_words is not None:
        own = F.cross_entropy(alone_words[scored], target, label_smoothing=DIALOGUE_LABEL_SMOOTHING)
        value = value + HEAD_WEIGHT * own
    if isinstance(output, RivalOutput):
        return value if output.auxiliary is None else value + output.auxiliary
    there = batch.present[labelled]
    if alone_words is not None:
        there[:, MODALITIES.index("text")] = True
    alone = output.alone_logits[labelled].float()  # (N,M,C)
    truth = target.argmax(-1)[:, None].expand(there.shape)
    wanted = target[:, None].expand_as(alone)
    each = F.cross_entropy(alone.flatten(0, 1), wanted.flatten(0, 1), reduction="none").view_as(there.float())
    variance = output.variance[labelled].float().clamp_min(1e-6)
    error = brier(alone.detach().softmax(-1), truth)
    expert = expert_loss(output.alpha[labelled].float(), alone.softmax(-1), truth[:, 0])
    by_modality = UNIMODAL_WEIGHT * each + VARIANCE_WEIGHT * variance_nll(variance, error)
    return value + by_modality[there].mean() + EXPERT_WEIGHT * expert.mean() + KL_WEIGHT * model.fusion.kl()


def train(
    build: Build,
    recipe: Recipe,
    task: Emotions | Grades,
    training: Sequence[Conversation],
    leaks: Sequence[Leak],
    seed: int,
    folder: Path,
    device: torch.device,
    chooses: Sequence[Conversation] = (),
) -> DialogueModel:
    """Train for the recipe's number of epochs; the log and the weights are in ``folder``.

    The weights are those of the epoch that reads the dialogues ``chooses`` best, or the last epoch's where there are
    none.
    """
    plan = replace(recipe.plan, seed=seed)
    torch.manual_seed(seed)
    model = DialogueModel(build, recipe, task, training, leaks)
    count = -(-len(training) // plan.batch_size)
    features = {m: stacked(training, m) for m in training[0].features}
    reached = 0

    def of_epoch(epoch: int) -> Iterator[DialogueBatch]:
        nonlocal reached
        reached = epoch
        rng = np.random.default_rng([seed, epoch])
        spoilt = with_features(training, exchanged(features, leaks, rng)) if leaks else training
        return (batch.to(device) for batch in batches(spoilt, task, plan.batch_size, rng, model.tokenizer))

    def validate(model: nn.Module) -> dict[str, float]:
        if not chooses:  # the number of epochs comes from cross-validation: the last one's weights are the ones to keep
            return {"score": float(reached)}
        figures = task.figures(all_labels(chooses), predict(model, chooses, task, device))
        return {"score": figures[task.headline]}

    # Hundreds of short runs: their lines are in each log.csv. An encoder takes its time, and says how far it is.
    silence = contextlib.redirect_stdout(io.StringIO()) if model.words is None else contextlib.nullcontext()
    with silence:
        fit(model, of_epoch, count, loss, validate, plan, folder, device)
    return model


@torch.no_grad()
def predict(
    model: DialogueModel, conversations: Sequence[Conversation], task: Task, device: torch.device
) -> np.ndarray:
    """Distributions (N,C) for every utterance, one conversation after the other."""
    model.eval()
    parts = []
    with autocast(device, model.words is not None):
        for batch in batches(conversations, task, READ_AT_ONCE, tokenizer=model.tokenizer):
            parts.append(model(batch.to(device))[0].softmax(-1).cpu())
    return torch.cat(parts).numpy()
