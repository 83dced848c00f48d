"""What the shipped parts of the model are called in tables and in the model card, each once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShippedPart:
    """An encoder, or the fusion."""

    name: str  # in a table of figures
    made_of: str  # in the table of what it learned from


# By the keys of a corpus' ``PARTS``.
SHIPPED_PARTS = {
    "speech": ShippedPart("speech (MFCC, CNN)", "speech (MFCC and CNN)"),
    "whisper": ShippedPart(
        "speech (Whisper's first layers)",
        "speech, the second encoder (the first three layers of Whisper base, MIT, and a small network)",
    ),
    "vision": ShippedPart("vision (ResNet-18)", "vision (ResNet-18)"),
    "text": ShippedPart("text (BERT)", "text (BERT: all-MiniLM-L6-v2, Apache-2.0, fine-tuned)"),
    "fusion": ShippedPart("fusion", "fusion"),
}


def ear(speech_encoder: str) -> ShippedPart:
    """The part that one of ``SPEECH_ENCODERS`` is: the second one has a part of its own, the paper's is "speech"."""
    return SHIPPED_PARTS.get(speech_encoder, SHIPPED_PARTS["speech"])
