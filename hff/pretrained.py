"""The ready-made models beside our own weights: where their files are, and proof that they are the right ones.

They lie in ``weights/pretrained/``, whose README says whose they are. Each file is compared with its known SHA-256
before anything loads it: half a download, or a pointer in a file's place, is not taken for the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hff import weights
from hff.errors import WeightsError
from hff.locale import say

FOLDER = "pretrained"  # in a folder of weights


@dataclass(frozen=True)
class Part:
    """One ready-made model."""

    folder: str  # in ``FOLDER``
    files: tuple[tuple[str, str], ...]  # name and SHA-256 of all that is read
    purpose: str  # what needs it, as a sentence names it


BERT = Part(
    "minilm",
    (
        ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ("tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
    ),
    say("pretrained.bert"),
)
WHISPER = Part(
    "whisper-tiny.en",
    (
        ("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        ("model.bin", "87c3801a5f7ae048440878855dfc7e58384739840082a7463abf2f73d67a985a"),
        ("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
        ("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    ),
    say("pretrained.whisper"),
)
CENTERFACE = Part(
    "centerface",
    (("centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"),),
    say("pretrained.centerface"),
)


def bert_folder() -> Path:
    """Config and tokenizer of all-MiniLM-L6-v2 in the Hugging Face layout; its tensors are in ``text.safetensors``."""
    return checked_folder(BERT)


def whisper_folder() -> Path:
    """Folder of Whisper tiny.en for CTranslate2, in int8, tokenizer included."""
    return checked_folder(WHISPER)


def centerface_file() -> Path:
    """The CenterFace detector as ONNX."""
    return checked_folder(CENTERFACE) / CENTERFACE.files[0][0]


def checked_folder(part: Part) -> Path:
    """The part's folder, its files hashed once per process; that of $HFF_WEIGHTS is taken before the shipped one.

    Raises ``WeightsError`` if a file is not there or is another one.
    """
    folders = [place / FOLDER / part.folder for place in weights.search_path()]
    return _checked(part, next(filter(Path.is_dir, folders), folders[-1]))


@cache  # a failure is not cached: fetching the files mends a running process
def _checked(part: Part, folder: Path) -> Path:
    for name, digest in part.files:
        file = folder / name
        if not file.is_file():
            raise WeightsError(say("pretrained.missing", file=file, purpose=part.purpose))
        if sha256(file) != digest:
            raise WeightsError(say("pretrained.changed", file=file, purpose=part.purpose))
    return folder


def sha256(file: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
