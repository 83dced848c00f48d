"""The vision encoder's training: ResNet-18 on the FER+ vote distribution, and on muxspace's labels where it is there.

``python -m train vision --data DIR --out DIR`` ; 2 to 5 minutes an epoch on 2 CPU cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from hff import corruption, weights
from hff.config import EMOTIONS, FACE_SIZE
from hff.encoders.resnet import VisionEncoder, normalise_faces
from train.corpora import fer, muxspace
from train.corpora.base import CorpusError, Faces
from train.engine.loop import Plan, autocast, fit

PLAN = Plan(
    epochs=60, cycles=(11, 11, 22, 16), learning_rate=1e-3, weight_decay=0.05, batch_size=96, schedule="cosine",
    average=0.999, patience=60,  # a cosine run is only done at its end
)  # fmt: skip
CROP_SIZE = 40  # px, of the 48: a smaller picture costs less, and faces seen whole later gain (FixRes, Touvron 2019)
DAMAGED_FACE_SHARE = 0.35  # of training pictures that also get a webcam's faults
DAMAGE_MAX = 0.7  # severity; beyond it too little of the face is left to learn from
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
    if rng.random() < DAMAGED_FACE_SHARE:
        kind = rng.choice(list(corruption.trained("vision")))
        view = corruption.kind("vision", kind).apply(np.ascontiguousarray(view), rng.uniform(0, DAMAGE_MAX), rng)
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


def training_faces(data: Path, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N,48,48) and targets (N,C): FER2013's own, and muxspace's where it is there."""
    own = faces.splits == "train"
    try:
        more = muxspace.load(data)
    except CorpusError as error:
        print(f"note: goes on without {error}", flush=True)
        return faces.images[own], faces.votes[own]
    smoothed = ONE_LABEL_SHARE * more.votes + (1 - ONE_LABEL_SHARE) / more.votes.shape[1]
    return np.concatenate([faces.images[own], more.images]), np.concatenate([faces.votes[own], smoothed])


def train(data: Path, out: Path, device: torch.device, plan: Plan = PLAN, init: Path | None = None) -> dict[str, float]:
    """``init``: weights of a finished run of all cycles but the last, to go on from."""
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

    def batches(epoch: int):
        rng = np.random.default_rng([plan.seed, epoch])
        for part in np.array_split(rng.permutation(len(images)), count):
            views = np.stack([random_crop(augment(images[i], rng), rng) for i in part])
            yield normalise_faces(views).to(device), torch.from_numpy(target[part]).to(device)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(model(batch[0]).float(), batch[1])

    def validate(model: nn.Module) -> dict[str, float]:
        p = predict(model, faces.images[held], device)
        return {"score": float((p.argmax(1) == faces.labels[held]).mean())}

    assert images.shape[1:] == (FACE_SIZE, FACE_SIZE)
    done = sum(plan.cycles[:-1]) if init else 0
    return fit(model, batches, count, loss, validate, plan, out / "vision", device, done)
