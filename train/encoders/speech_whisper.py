"""The second speech encoder's training: on the first layers of Whisper base, and several corpora of voices at once.

``python -m train whisper --data DIR --out DIR``. A small network learns on what Whisper's layers make of recordings:
their states are computed once, kept under ``OUT/whisper`` (some minutes on two cores), and an epoch then takes
seconds. Needs the packages named in ``whisper_base``; whoever uses the encoder does not.

With ``--tune`` the layers then learn along, slowly, and are kept if that gains on validation. The shipped ones are
Whisper's own: forty batches of it, all there was time for, took the mean recall from 0.587 to 0.484.

Recordings, splits and corruption are those of ``train.encoders.speech``; ``corpus_balance`` says how corpora are mixed,
and ``train.evaluation.left_out_voices`` what is gained on corpora that were left out.

``--teach`` also writes ``OUT/whisper/soft.npz``, for teaching the paper's encoder (Hinton et al. 2015, arXiv
1503.02531; ``speech``): for every training recording the probabilities that a network trained on other speakers
gives it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from sklearn.metrics import recall_score
from torch import Tensor, nn

from hff.config import EMOTIONS
from hff.encoders.whisper import SILENCE, WhisperEncoder, WhisperLayers
from train.corpora import ased, emodb, korean, nemo, ravdess
from train.corpora.base import Utterance, load_found
from train.encoders import corpus_balance, quality, whisper_base
from train.encoders.speech import MIXUP, SOFT_TARGETS, SPEECH_LABEL_SMOOTHING
from train.encoders.whisper_windows import (
    Heard,
    again,
    hear,
    joined_windows,
    kept_windows,
    random_windows,
    step_windows_of,
    with_voices,
)
from train.engine import parallel
from train.engine.loop import Plan, fit
from train.engine.progress import progress
from train.engine.whole_files import write_whole

CORPORA = (ravdess, emodb, nemo, korean)  # learned from
STRANGER_CORPORA = (ased,)  # only listened to
PLAN = Plan(
    epochs=20,
    learning_rate=3e-4,
    weight_decay=0.05,
    batch_size=64,
    schedule="cosine",
    average=0.98,
    patience=20,
    bf16=False,
)
TUNING = Plan(
    epochs=2,
    learning_rate=3e-4,
    weight_decay=0.01,
    batch_size=32,
    schedule="cosine",
    average=0.95,
    patience=2,
    warmup=0.1,
    bf16=False,
    slow="layers.",
    slow_rate=0.15,
)
TUNING_BATCHES = 40  # of an epoch of it; twenty minutes on two cores that do nothing else
MEL_TIME_MASK, MEL_BAND_MASK = 60, 10  # frames and mel bands hidden at most while the layers learn
ROUNDS = 2  # windows of each training recording: untouched, and from another room, microphone or line
TEACHER_FOLDS = 5  # of the training speakers, for soft targets

LEAST_DEVIATION = 1e-3  # of a statistic, in float16 too


def load(data: Path) -> list[Utterance]:
    """What is learned from and validated on, of the corpora that are there (RAVDESS must be)."""
    found = ravdess.load(data) + load_found((*CORPORA[1:], *STRANGER_CORPORA), data, none_will_do=True)
    return corpus_balance.thin([u for u in found if u.split in ("train", "validation")], corpus_balance.PER_CELL)


@dataclass
class VoiceMaterial:
    """The recordings of a training with what Whisper's layers make of them."""

    training: list[Utterance]
    held: list[Utterance]  # to validate on
    heard: Heard  # random windows of ``training``, of all rounds
    steps: Heard  # steps of ``held``

    def without(self, corpus: str) -> VoiceMaterial:
        """As if a corpus had never been there."""
        training, heard = _picked(self.training, self.heard, lambda u: u.corpus != corpus)
        held, steps = _picked(self.held, self.steps, lambda u: u.corpus != corpus)
        return VoiceMaterial(training, held, heard, steps)

    def clean(self, corpus: str) -> tuple[list[Utterance], Heard]:
        """All recordings of a corpus, for training or not, and their windows."""
        training, heard = _picked(self.training, self.heard, lambda u: u.corpus == corpus)
        held, steps = _picked(self.held, self.steps, lambda u: u.corpus == corpus)
        steps = dataclasses.replace(steps, recording=steps.recording + len(training))
        return training + held, joined_windows([heard.subset(heard.severity == 0), steps])


def _picked(
    utterances: list[Utterance], heard: Heard, wanted: Callable[[Utterance], bool]
) -> tuple[list[Utterance], Heard]:
    """The recordings that are wanted, and their windows with the recordings' new numbers."""
    kept = [n for n, u in enumerate(utterances) if wanted(u)]
    place = torch.full((len(utterances),), -1)
    place[kept] = torch.arange(len(kept))
    heard = heard.subset(place[heard.recording] >= 0)
    return [utterances[n] for n in kept], dataclasses.replace(heard, recording=place[heard.recording])


def listen(
    training: list[Utterance], held: list[Utterance], model: WhisperEncoder, folder: Path, seed: int
) -> VoiceMaterial:
    """Every corpus' windows from ``folder``, a file a corpus and round, or computed and kept there."""

    def of(corpus: str, utterances: list[Utterance], name: str, windows: Callable, keep: bool) -> Heard:
        def made():
            return windows(progress(with_voices(utterances), f"whisper: hearing {corpus} {name}"))

        return hear(folder / f"{corpus}-{name}.safetensors", model, made, keep)

    def all_of(utterances: list[Utterance], names: dict[str, Callable], keep: bool) -> Heard:
        places: dict[str, list[int]] = {}
        for place, utterance in enumerate(utterances):
            places.setdefault(utterance.corpus, []).append(place)
        parts = []
        for corpus, own in places.items():
            for name, windows in names.items():
                part = of(corpus, [utterances[n] for n in own], name, windows, keep)
                parts.append(dataclasses.replace(part, recording=torch.tensor(own)[part.recording]))
        return joined_windows(parts)

    rounds = {f"{seed}-{n}": lambda spoken, n=n: random_windows(spoken, n, seed) for n in range(ROUNDS)}
    return VoiceMaterial(training, held, all_of(training, rounds, True), all_of(held, {"steps": step_windows_of}, True))


def new_model(heard: Heard, seed: int) -> WhisperEncoder:
    """An encoder without layers, which knows statistics alone: an untrained network, normalised for ``heard``."""
    torch.manual_seed(seed)
    model = quality.add_head(WhisperEncoder(len(EMOTIONS)))
    model.layers = nn.Identity()  # ten million parameters that need not be averaged, saved and loaded each epoch
    values = heard.values.float()
    model.mean.copy_(values.mean(0))
    model.std.copy_(values.std(0).clamp_min(LEAST_DEVIATION))
    return model


Batch = tuple[Tensor, Tensor, Tensor, Tensor, float]  # input (B, ...), target and possible (B,C), severity (B,), share


def batches_of(
    heard: Heard, utterances: list[Utterance], plan: Plan, device: torch.device, count: int | None = None
) -> Callable[[int], Iterator[Batch]]:
    """``count`` batches (or as many as there are windows for) of random windows, each with a share of mixup.

    They are drawn as ``corpus_balance.weights`` says.
    """
    windows = torch.bincount(heard.recording, minlength=len(utterances)).clamp_min(1)
    drawn = (corpus_balance.drawing_weights(utterances) / windows)[heard.recording]
    drawn = (drawn / drawn.sum()).numpy()
    target = torch.eye(len(EMOTIONS))[[u.label for u in utterances]]
    allowed = corpus_balance.possible(utterances)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([plan.seed, epoch])
        for _ in range(count or batches_per_epoch(heard, plan)):
            part = torch.from_numpy(rng.choice(len(drawn), plan.batch_size, p=drawn))
            who = heard.recording[part]
            tensors = (heard.values[part].float(), target[who], allowed[who], heard.severity[part])
            yield *(x.to(device) for x in tensors), float(rng.beta(MIXUP, MIXUP))

    return batches


def batches_per_epoch(heard: Heard, plan: Plan) -> int:
    return max(1, len(heard.values) // plan.batch_size)


def loss_of(model: WhisperEncoder, features: Tensor, batch: Batch) -> Tensor:
    """The emotion, and the severity of the corruption, of ``features`` of windows mixed in pairs."""
    _, target, allowed, severity, share = batch
    logits = model.head(features)
    emotion = share * corpus_balance.cross_entropy_among(logits, target, allowed, SPEECH_LABEL_SMOOTHING)
    emotion = emotion + (1 - share) * corpus_balance.cross_entropy_among(
        logits, target.flip(0), allowed.flip(0), SPEECH_LABEL_SMOOTHING
    )
    mixed_severity = share * severity + (1 - share) * severity.flip(0)
    return quality.emotion_and_quality(model, features, emotion, mixed_severity)


def loss(model: WhisperEncoder, batch: Batch) -> Tensor:
    """Of statistics, mixed in pairs: the layers stay as they are."""
    values, share = batch[0], batch[-1]
    return loss_of(model, model.features_of(share * values + (1 - share) * values.flip(0)), batch)


@torch.inference_mode()
def predict(model: WhisperEncoder, heard: Heard, count: int) -> Tensor:
    """Probabilities (``count``, C) of whole recordings: the mean over each one's windows; NaN for those without."""
    device = next(model.parameters()).device
    parts = [model.head(model.features_of(part.float().to(device))) for part in heard.values.split(1024)]
    p = torch.cat(parts).float().softmax(-1).cpu()
    sums = torch.zeros(count, p.shape[1]).index_add_(0, heard.recording, p)
    return sums / torch.bincount(heard.recording, minlength=count)[:, None]


def recalls(probabilities: Tensor, utterances: list[Utterance]) -> dict[str, float]:
    """Unweighted recall, over the emotions that it has, of each corpus; all may be guessed."""
    guess = probabilities.argmax(1).numpy()
    found = {}
    for corpus in dict.fromkeys(u.corpus for u in utterances):
        own = [n for n, u in enumerate(utterances) if u.corpus == corpus]
        labels = [utterances[n].label for n in own]
        found[corpus] = float(
            recall_score(labels, guess[own], average="macro", labels=sorted(set(labels)), zero_division=0)
        )
    return found


def selection_figures(probabilities: Tensor, utterances: list[Utterance]) -> dict[str, float]:
    """What an epoch is chosen by: the mean of the corpora's unweighted recalls, which are told too."""
    found = recalls(probabilities, utterances)
    return {"score": float(np.mean(list(found.values())))} | found


def tuning_batches(
    heard: Heard, utterances: list[Utterance], plan: Plan, device: torch.device
) -> Callable[[int], Iterator[Batch]]:
    """As ``batches_of``, of the windows themselves, a stretch of time and a few bands of each hidden."""
    windows = kept_windows(heard)
    numbered = dataclasses.replace(heard, values=torch.arange(len(heard.recording))[:, None])
    drawn = batches_of(numbered, utterances, plan, device, TUNING_BATCHES)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([plan.seed, epoch, 1])
        for numbers, *others in drawn(epoch):
            yield hide(windows[numbers[:, 0].long().cpu()].float(), rng).to(device), *others

    return batches


def hide(windows: Tensor, rng: np.random.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019) on (N, bands, frames): silence in a stretch of time and in a band of each."""
    for window in windows:
        inside = ~window.isnan()
        hidden = torch.zeros_like(inside)
        start, width = rng.integers(window.shape[1]), rng.integers(MEL_TIME_MASK)
        hidden[:, start : start + width] = True
        start, width = rng.integers(window.shape[0]), rng.integers(MEL_BAND_MASK)
        hidden[start : start + width] = True
        window[hidden & inside] = SILENCE
    return windows


def tuning_loss(model: WhisperEncoder, batch: Batch) -> Tensor:
    """Of windows, whose statistics are mixed in pairs: the layers learn along."""
    windows, share = batch[0], batch[-1]
    values = model.statistics(windows)
    return loss_of(model, model.features_of(share * values + (1 - share) * values.flip(0)), batch)


def gather(data: Path, out: Path, device: torch.device, seed: int) -> VoiceMaterial:
    """All recordings, and what Whisper's layers make of them; computed where it is not in ``out`` yet."""
    found = load(data)
    training, held = ([u for u in found if u.split == split] for split in ("train", "validation"))
    model = WhisperEncoder(len(EMOTIONS), layers=whisper_base.load(WhisperLayers())).to(device).eval()

    def listened() -> VoiceMaterial:
        return listen(training, held, model, out / "whisper" / "heard", seed)

    if parallel.is_main():
        listened()
    parallel.wait(device)  # the other processes read what the first has written
    material = listened()
    print(
        f"whisper: {len(material.heard.values)} windows of {len(training)} recordings of "
        f"{', '.join(dict.fromkeys(u.corpus for u in training))}, {len(held)} recordings for validation",
        flush=True,
    )
    return material


def train(
    data: Path, out: Path, device: torch.device, plan: Plan = PLAN, teach: bool = False, tuning: Plan | None = None
) -> dict[str, float]:
    """Train the encoder in ``out / "whisper"``, its layers too by the plan ``tuning``; with ``teach``, write soft
    targets. Returns the best figures.
    """
    folder = out / "whisper"
    material = gather(data, out, device, plan.seed)
    model, best = fit_network(material, plan, folder / "network", device)
    model.layers = whisper_base.load(WhisperLayers())
    if tuning is not None:
        before = {name: value.clone() for name, value in model.state_dict().items()}
        tuned = tune_layers(model, material, tuning, folder / "tuning", device)
        if tuned["score"] > best["score"]:
            best = tuned
        else:
            print(f"whisper: the layers stay as they were, {tuned['score']:.4f} is no gain", flush=True)
            model.load_state_dict(before)
    if parallel.is_main():
        state = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
        write_whole(folder / "best.safetensors", save(state))
    if teach:
        best |= write_soft_targets(material.training, material.heard, plan, folder, device)
    return best


def fit_network(
    material: VoiceMaterial, plan: Plan, folder: Path, device: torch.device
) -> tuple[WhisperEncoder, dict[str, float]]:
    """The small network on the layers as they are, and its best figures."""
    model = new_model(material.heard, plan.seed)
    batches = batches_of(material.heard, material.training, plan, device)

    def validate(model: WhisperEncoder) -> dict[str, float]:
        return selection_figures(predict(model, material.steps, len(material.held)), material.held)

    best = fit(model, batches, batches_per_epoch(material.heard, plan), loss, validate, plan, folder, device)
    return model, best


def tune_layers(
    model: WhisperEncoder, material: VoiceMaterial, plan: Plan, folder: Path, device: torch.device
) -> dict[str, float]:
    """Layers and network together; the convolutions stay Whisper's."""
    model.layers.requires_grad_(True)
    for convolution in (model.layers.conv1, model.layers.conv2):
        convolution.requires_grad_(False)
    batches = tuning_batches(material.heard, material.training, plan, device)

    def validate(model: WhisperEncoder) -> dict[str, float]:
        return selection_figures(predict(model, again(model, material.steps), len(material.held)), material.held)

    return fit(model, batches, TUNING_BATCHES, tuning_loss, validate, plan, folder, device)


def write_soft_targets(
    utterances: list[Utterance], heard: Heard, plan: Plan, folder: Path, device: torch.device
) -> dict[str, float]:
    """``soft.npz``: name (R,), probabilities (R,C) and label (R,) of all training recordings, each of them
    from a network that has not met its speaker. Returns their unweighted recall.
    """
    labels = torch.tensor([u.label for u in utterances])
    speakers = sorted({u.speaker for u in utterances})
    fold = torch.tensor([speakers.index(u.speaker) % TEACHER_FOLDS for u in utterances])
    clean = heard.severity == 0
    probabilities = torch.zeros(len(utterances), len(EMOTIONS))
    for number in range(TEACHER_FOLDS):
        own = fold[heard.recording] == number
        if not own.any():
            continue
        part = heard.subset(~own)
        model = new_model(part, plan.seed)
        # Nobody is there to choose an epoch by, so the later the better.
        batches, count = batches_of(part, utterances, plan, device), batches_per_epoch(part, plan)
        fit(model, batches, count, loss, lambda _: {"score": time.time()}, plan, folder / f"fold-{number}", device)
        mine = (fold == number).nonzero().squeeze(1)
        probabilities[mine] = predict(model, heard.subset(own & clean), len(utterances))[mine]
    if parallel.is_main():
        np.savez(
            folder / SOFT_TARGETS,
            name=np.array([u.name for u in utterances]),
            probabilities=probabilities.numpy(),
            label=labels.numpy(),
        )
    return {"soft_recall": float(recall_score(labels, probabilities.argmax(1), average="macro"))}
