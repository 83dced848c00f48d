"""The text encoder's training: BERT fine-tuned on the text corpora, their labels mapped to the model's.

``python -m train text --data DIR --out DIR`` starts from all-MiniLM-L6-v2, whose package it asks for
(``train.ready_made.plain_minilm``); with ``--init FOLDER`` it goes on from the text weights there, and needs none.
The embeddings and the two lowest layers stay as they are.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn

from hff import corruption, weights
from hff.config import EMOTIONS
from hff.encoders.bert import TextEncoder, tokenizer
from hff.locale import say
from train.corpora import dailydialog, dairai, emorynlp, goemotions, isear, meld, own_sentences
from train.corpora.base import CorpusError, Sentence, load_found
from train.encoders import quality
from train.engine.loop import Plan, autocast, fit
from train.ready_made import plain_minilm

TEXT_CORPORA = (goemotions, meld, emorynlp, dailydialog, isear, dairai)  # beside the project's own sentences
PLAN = Plan(
    epochs=2,
    cycles=(1, 1),
    learning_rate=1.5e-4,
    weight_decay=0.01,
    batch_size=32,
    schedule="cosine",
    average=0.998,
    patience=2,
)
FROZEN = ("bert.embeddings.", "bert.encoder.layer.0.", "bert.encoder.layer.1.")  # stay as they are
TRAIN_TOKENS = 64  # longer sentences are cut while training
CORRUPTED_TEXT_SHARE = 0.3  # of training sentences that lose or garble words
COMMON_WORDS = 4
OWN_REPEATS = 5  # how often an epoch shows each of the project's own sentences, which are few
GO_ON_SENTENCES, GO_ON_RATE = 40_000, 5e-5  # of the other corpora in the epoch after a finished run; its learning rate
RARE_POWER = 0.35  # class weights ~ frequency ** -RARE_POWER


def load(data: Path) -> list[Sentence]:
    """All corpora, less the training sentences that also stand in a validation or test split.

    MELD and EmoryNLP label the same series, so whole lines would cross otherwise. Phrases of fewer than
    ``COMMON_WORDS`` words ("oh my god!") are everybody's and stay.
    """
    sentences = load_found(TEXT_CORPORA, data) + own_sentences.load(data)
    kept_back = {_plain(s.text) for s in sentences if s.split in ("validation", "test")}
    return [
        s
        for s in sentences
        if s.split in ("validation", "test") or len(_plain(s.text)) < COMMON_WORDS or _plain(s.text) not in kept_back
    ]


def _plain(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+", text.lower()))


@torch.no_grad()
def predict(model: TextEncoder, texts: list[str], device: torch.device) -> np.ndarray:
    """Probabilities (N,C); sentences are sorted by length so that little is padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), len(EMOTIONS)), np.float32)
    for part in np.array_split(order, max(1, len(order) // 128)):
        ids, mask = tokens([texts[i] for i in part], device)
        with autocast(device, True):
            out[part] = model(ids, mask).float().softmax(-1).cpu().numpy()
    return out


def tokens(texts: list[str], device: torch.device) -> tuple[Tensor, Tensor]:
    batch = tokenizer()(texts, padding=True, truncation=True, max_length=TRAIN_TOKENS, return_tensors="pt").to(device)
    return batch["input_ids"], batch["attention_mask"]


def corrupted_sentence(text: str, rng: np.random.Generator) -> tuple[str, float]:
    """The sentence as it is or corrupted, and the severity of that, 0 to 1."""
    if rng.random() >= CORRUPTED_TEXT_SHARE:
        return text, 0.0
    kinds = corruption.trained("text")
    kind, severity = str(rng.choice(list(kinds))), rng.uniform(0, 1)
    corrupted = kinds[kind](text, severity, rng)
    return (corrupted, severity) if corrupted else (text, 0.0)


def scores(sentences: list[Sentence], probabilities: np.ndarray) -> dict[str, float]:
    """Macro F1 on GoEmotions (single-label items, as the benchmark's Ekman grouping), weighted F1 on MELD, accuracy on
    the project's own sentences, of all and of each kind.

    A corpus with no item among ``sentences`` has no figure.
    """
    truth = np.array([s.label for s in sentences])
    single = np.array([s.target.max() > 0.99 for s in sentences])
    guess = probabilities.argmax(1)
    go = np.array([s.corpus == "goemotions" for s in sentences]) & single
    friends = np.array([s.corpus == "meld" for s in sentences])
    measures = (("goemotions_macro_f1", go, "macro"), ("meld_weighted_f1", friends, "weighted"))
    figures = {
        name: float(f1_score(truth[own], guess[own], average=average)) for name, own, average in measures if own.any()
    }
    kinds = {kind: np.array([s.corpus == f"own_{kind}" for s in sentences]) for kind in own_sentences.OWN_KINDS}
    kinds = {"accuracy": np.any(list(kinds.values()), axis=0)} | kinds
    return figures | {f"own_{kind}": float((truth == guess)[own].mean()) for kind, own in kinds.items() if own.any()}


def selection_score(figures: dict[str, float]) -> float:
    """What chooses the best epoch: the mean of each corpus' figure, the own sentences' as one."""
    counted = [figures[name] for name in ("goemotions_macro_f1", "meld_weighted_f1", "own_accuracy") if name in figures]
    return sum(counted) / len(counted)


def epochs_sentences(training: list[Sentence], rng: np.random.Generator, most: int | None = None) -> list[Sentence]:
    """What an epoch shows: the own sentences several times, and all, or at most ``most``, of the others."""
    own = [s for s in training if s.corpus.startswith("own_")]
    others = [s for s in training if not s.corpus.startswith("own_")]
    if most is not None and len(others) > most:
        others = [others[i] for i in rng.permutation(len(others))[:most]]
    return others + OWN_REPEATS * own


def train(data: Path, out: Path, device: torch.device, plan: Plan = PLAN, init: Path | None = None) -> dict[str, float]:
    """``init``: weights of a finished run to go on from, for one epoch at a low rate on a part of the sentences."""
    if init:
        plan = dataclasses.replace(plan, learning_rate=min(plan.learning_rate, GO_ON_RATE))
    most = GO_ON_SENTENCES if init else None
    sentences = load(data)
    training = [s for s in sentences if s.split == "train"]
    held = [s for s in sentences if s.split == "validation"]
    if all(s.corpus.startswith("own_") for s in held):
        raise CorpusError(say("training.no_validation"))
    print(f"text: {len(training)} training sentences, {len(held)} for validation, seed {plan.seed}", flush=True)
    torch.manual_seed(plan.seed)
    model = quality.add_head(TextEncoder(len(EMOTIONS)))
    if init is None:
        plain_minilm.load(model.bert)
    else:
        weights.fill(model, weights.load(init)[0], "text", partial=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(FROZEN))
    share = np.mean([s.target for s in training], axis=0)
    rarity = np.where(share > 0, share, 1) ** -RARE_POWER  # of a label without a sentence: any number
    weight = torch.tensor(rarity / np.sum(share * rarity), device=device).float()
    count = max(1, len(epochs_sentences(training, np.random.default_rng(0), most)) // plan.batch_size)

    def batches(epoch: int):
        rng = np.random.default_rng([plan.seed, epoch])
        shown = epochs_sentences(training, rng, most)
        # Batches of like length waste little on padding; their order stays random.
        order = rng.permutation(len(shown))
        pools = [sorted(pool, key=lambda i: len(shown[i].text)) for pool in np.array_split(order, max(1, count // 50))]
        groups = [part for pool in pools for part in np.array_split(pool, max(1, round(len(pool) / plan.batch_size)))]
        for number in rng.permutation(len(groups)):
            part = [shown[i] for i in groups[number]]
            texts, severity = zip(*(corrupted_sentence(s.text, rng) for s in part), strict=True)
            ids, mask = tokens(list(texts), device)
            target = torch.tensor(np.stack([s.target for s in part])).to(device)
            yield ids, mask, target, torch.tensor(severity, dtype=torch.float32, device=device)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        ids, mask, target, severity = batch
        features = model.tokens_to_features(ids, mask)
        emotion = -(model.head(features).float().log_softmax(-1) * target * weight).sum(1)
        return quality.emotion_and_quality(model, features, emotion, severity)

    def validate(model: nn.Module) -> dict[str, float]:
        figures = scores(held, predict(model, [s.text for s in held], device))
        return {"score": selection_score(figures)} | figures

    done = sum(plan.cycles[:-1]) if init else 0
    return fit(model, batches, count, loss, validate, plan, out / "text", device, done)
