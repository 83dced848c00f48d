"""The transcripts of a feature file, encoded by our own BERT with the shipped weights, frozen; cached by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from hff import weights
from hff.encoders.bert import TextEncoder
from hff.locale import say
from hff.pipeline.analyzer import load_encoders
from train.corpora.base import CorpusError
from train.corpora.conversation import Conversation


def encode_transcripts(
    splits: dict[str, list[Conversation]], cache: Path, device: torch.device
) -> dict[str, np.ndarray]:
    """[CLS] joined with the mean token state, (N,768) float32, for each split's transcripts."""
    lacking = [name for name, split in splits.items() if not all(one.texts for one in split)]
    if lacking:
        raise CorpusError(say("benchmark.no_transcripts", splits=", ".join(lacking)))
    path = weights.folder() / "text.safetensors"
    encoder = None
    encoded = {}
    for name, split in splits.items():
        texts = [text.lower() for one in split for text in one.texts]
        print_of = hashlib.sha256(path.read_bytes() + "\n".join(texts).encode()).hexdigest()[:16]
        file = cache / f"text-{print_of}.npy"
        if not file.exists():
            encoder = encoder or load_encoders(weights.folder(), device).text
            file.parent.mkdir(parents=True, exist_ok=True)
            print(f"encoding {len(texts)} transcripts of {name}", flush=True)
            np.save(file, _features(encoder, texts))
        encoded[name] = np.load(file)
    return encoded


@torch.inference_mode()
def _features(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    order = np.argsort([len(text) for text in texts])  # like lengths together: little padding
    features = encoder.features([texts[i] for i in order]).cpu().numpy()
    return features[np.argsort(order)]
