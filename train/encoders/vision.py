"""The vision encoder's training: ResNet-18 on the FER+ vote distribution, and on other faces where they are there.

``python -m train vision --data DIR --out DIR`` ; 2 to 5 minutes an epoch on 2 CPU cores. The last cycle corrects the
prior (``PRIOR_SHARE``): FER+ has one disgusted face in 150, a classroom has as many as it likes.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn

from hff import corruption, weights
from hff.config import EMOTIONS, FACE_SIZE
from hff.encoders.resnet import VisionEncoder, normalise_faces
from train.corpora import fer, london, muxspace
from train.corpora.base import CorpusError, Faces
from train.engine.loop import Plan, autocast, fit

PLAN = Plan(
    epochs=65,
    cycles=(11, 11, 22, 16, 5),
    learning_rate=1e-3,
    weight_decay=0.05,
    batch_size=96,
    schedule="cosine",
    average=0.999,
    patience=60,  # a cosine run is only done at its end
)
CROP_SIZE = 40  # px, of the 48: a smaller picture costs less, and faces seen whole later gain (FixRes, Touvron 2019)
CORRUPTED_FACE_SHARE = 0.35  # of training pictures that also get a webcam's faults
CORRUPTION_MAX = 0.7  # severity; beyond it too little of the face is left to learn from
PRIOR_SHARE = 0.4  # of the training labels' log prior that the network keeps after its last cycle; 1 is plain softmax
RARE = {"disgusted": 0.5, "fearful": 0.3}  # share of the target that is FER2013's own label, where that says so
PORTRAIT_REPEATS = 4  # how often an epoch shows each colour portrait
ONE_LABEL_SHARE = 0.8  # of the target goes to a single student's label, the rest is spread: one in four is wrong


def random_view(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face as another camera might have framed it: turned, scaled, shifted, mirrored, lit otherwise."""
    size = face.shape[0]
    angle, scale = rng.uniform(-18, 18), rng.uniform(0.85, 1.2)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), angle, scale)
    matrix[:, 2] += rng.uniform(-0.08, 0.08, 2) * size
    view = cv2.warpAffine(face, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    gamma = rng.uniform(0.6, 1.6)
    return (255 * (view / 255.0) ** gamma).astype(np.uint8)


def augment(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    view = random_view(face, rng)
    if rng.random() < CORRUPTED_FACE_SHARE:
        kinds = corruption.trained("vision")
        kind = str(rng.choice(list(kinds)))
        view = kinds[kind](np.ascontiguousarray(view), rng.uniform(0, CORRUPTION_MAX), rng)
    if rng.random() < 0.3:
        quality = int(rng.integers(20, 90))
        jpeg = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        view = cast(np.ndarray, cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE))
    return view


def random_crop(view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``CROP_SIZE`` pixels a side, from a random place."""
    top, left = rng.integers(0, view.shape[0] - CROP_SIZE + 1, 2)
    return view[top : top + CROP_SIZE, left : left + CROP_SIZE]


@torch.no_grad()
def predict(model: VisionEncoder, images: np.ndarray, device: torch.device) -> np.ndarray:
    """Probabilities (N,C), from the features that the app would see."""
    rows = []
    for part in np.array_split(images, max(1, len(images) // 256)):
        with autocast(device, True):
            features = model.mirrored_features(normalise_faces(part).to(device))
            rows.append(model.head(features).float().softmax(-1).cpu().numpy())
    return np.concatenate(rows)


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy, mean recall of the labels that occur, and "score", the mean of the two."""
    guess = probabilities.argmax(1)
    accuracy = float((guess == labels).mean())
    recall = float(recall_score(labels, guess, average="macro", zero_division=0, labels=np.unique(labels)))
    return {"score": (accuracy + recall) / 2, "accuracy": accuracy, "mean_recall": recall}


def training_faces(data: Path, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N,48,48) and targets (N,C): FER2013's own, and those of muxspace and London where they are there."""
    own = faces.splits == "train"
    images, targets = [faces.images[own]], [with_rare(faces)[own]]
    for corpus, share, times in ((muxspace, ONE_LABEL_SHARE, 1), (london, 1.0, PORTRAIT_REPEATS)):
        try:
            more = corpus.load(data)
        except CorpusError as error:
            print(f"note: goes on without {error}", flush=True)
            continue
        kept = more.splits == "train"
        images += times * [more.images[kept]]
        targets += times * [share * more.votes[kept] + (1 - share) / more.votes.shape[1]]
    return np.concatenate(images), np.concatenate(targets).astype(np.float32)


def with_rare(faces: Faces) -> np.ndarray:
    """The votes (N,C), mixed with FER2013's first label where it names an emotion that FER+ hardly has."""
    votes = faces.votes.copy()
    if faces.first is None:
        return votes
    for name, share in RARE.items():
        label = EMOTIONS.index(name)
        rows = np.flatnonzero(faces.first == label)
        votes[rows] *= 1 - share
        votes[rows, label] += share
    return votes


def log_prior(target: np.ndarray) -> Tensor:
    """The labels' log frequency (C,) in targets (N,C); of one that never occurs, that of half an item."""
    frequency = np.maximum(target.mean(0), 0.5 / len(target))
    return torch.from_numpy(np.log(frequency)).float()


def train(data: Path, out: Path, device: torch.device, plan: Plan = PLAN, init: Path | None = None) -> dict[str, float]:
    """``init``: weights of a finished run of all cycles but the last, to go on from.

    The last cycle's loss is that of the logit-adjusted softmax (Menon et al. 2021; Ren et al. 2020, balanced softmax):
    what the logits need not say of how frequent a label is, they do not.
    """
    faces = fer.load(data)
    images, target = training_faces(data, faces)
    held = faces.splits == "validation"
    print(f"vision: {len(images)} training faces, {held.sum()} for validation, seed {plan.seed}", flush=True)
    count = max(1, len(images) // plan.batch_size)
    torch.manual_seed(plan.seed)
    model = VisionEncoder(len(EMOTIONS))
    if init:
        weights.fill(model, weights.load(init)[0], "vision")
    model.to(memory_format=torch.channels_last)
    prior = (1 - PRIOR_SHARE) * log_prior(target).to(device)
    balanced_from = sum(plan.cycles[:-1])

    def batches(epoch: int):
        rng = np.random.default_rng([plan.seed, epoch])
        for part in np.array_split(rng.permutation(len(images)), count):
            views = np.stack([random_crop(augment(images[i], rng), rng) for i in part])
            added = prior.expand(len(part), -1) * float(epoch >= balanced_from)
            yield normalise_faces(views).to(device), torch.from_numpy(target[part]).to(device), added

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        faces, target, added = batch
        return nn.functional.cross_entropy(model(faces).float() + added, target)

    def validate(model: nn.Module) -> dict[str, float]:
        return scores(faces.labels[held], predict(model, faces.images[held], device))

    assert images.shape[1:] == (FACE_SIZE, FACE_SIZE)
    done = sum(plan.cycles[:-1]) if init else 0
    return fit(model, batches, count, loss, validate, plan, out / "vision", device, done)
