"""Made-up files of trimodal features, as the benchmark reads them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

SIZES = {"text": 6, "audio": 4, "vision": 5}


def split(videos: int, seed: int, graded: bool = False, length: int = 6, leak: float = 0.0) -> dict:
    """Utterances out of order; the text tells the sentiment, the voice and the face do not unless they ``leak``."""
    rng = np.random.default_rng(seed)
    ids = [f"v{seed}_{v}$_${n}" for v in range(videos) for n in range(length, 0, -1)]
    count = len(ids)
    labels = rng.uniform(-3, 3, count) if graded else rng.choice([-1.0, 1.0], count)
    features = {key: rng.normal(size=(count, 1, size)) for key, size in SIZES.items()}
    features["text"][:, 0, 0] += 1.5 * labels
    features["vision"][:, 0, 1] += leak * labels
    made = {key: x.astype(np.float32) for key, x in features.items()}
    return made | {"id": ids, "raw_text": [f"WORD {i}" for i in ids], "regression_labels": labels.astype(np.float32)}


def stored(folder: Path, **splits: dict) -> Path:
    """A file of these splits in ``folder``."""
    path = folder / "features.pkl"
    path.write_bytes(pickle.dumps(splits))
    return path
