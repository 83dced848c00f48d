"""Where the trained weights lie, and how they are read and written: safetensors with their config inside."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hff.config import MODALITIES, SPEECH_ENCODERS, HFFConfig
from hff.errors import WeightsError
from hff.locale import say

if TYPE_CHECKING:  # ``folder`` answers before PyTorch is imported
    from collections.abc import Callable, Iterator

    import torch
    from torch import Tensor

    ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)

WEIGHTS_FORMAT = "hff-1"
MEASURED_FILE = "metrics.json"  # beside the weights: what was measured of them
CORPORA_FILE = "corpora.json"  # and what they were made from
CARD_FILE = "MODEL_CARD.md"
FINGERPRINT_FILE = "fingerprint.json"
LICENCE_FILE = "LICENSE"
HUB_CARD_FILE, HUB_CONFIG_FILE = "README.md", "config.json"  # what the Hugging Face Hub calls a card and a config
MAX_LABELS = 1000
MAX_HEADER_BYTES = 10_000_000  # of a safetensors file


def part_names(folder: Path | None = None) -> tuple[str, ...]:
    """What there is a file of weights for: the modalities that the fusion weights in ``folder`` know, and the fusion.

    Without readable fusion weights: the modalities that are registered now.
    """
    with contextlib.suppress(WeightsError):
        if folder is not None:
            return (*stored_config(folder).dims, "fusion")
    return (*MODALITIES, "fusion")


def folder(path: str | Path | None = None) -> Path:
    """The folder of weights: ``path``, else $HFF_WEIGHTS, else the one shipped with the project."""
    path = Path(path) if path is not None else search_path()[0]
    if missing := [name for part in part_names(path) if not is_file(path / (name := f"{part}.safetensors"))]:
        raise WeightsError(say("weights.missing", path=path, names=", ".join(missing)))
    return path


def is_file(path: Path) -> bool:
    """Also of a name that the system does not take, of which ``Path.is_file`` raises: then it is none."""
    return os.path.isfile(path)


def search_path() -> list[Path]:
    """Where weights are looked for, in this order: $HFF_WEIGHTS if it is set, and what the project ships."""
    shipped = Path(__file__).resolve().parent.parent / "weights"
    if not shipped.is_dir() and (spec := importlib.util.find_spec("hff_weights")) is not None:
        shipped = Path(next(iter(spec.submodule_search_locations or [str(shipped)])))
    own = os.environ.get("HFF_WEIGHTS")
    return [shipped] if own is None else [Path(own), shipped]


def part_path(folder: Path, part: str, speech_encoder: str = SPEECH_ENCODERS[0]) -> Path:
    """Where the weights of one of ``part_names`` lie: speech and fusion exist once for each speech encoder."""
    own = speech_encoder != SPEECH_ENCODERS[0] and part in ("speech", "fusion")
    return folder / (f"{part}-{speech_encoder}.safetensors" if own else f"{part}.safetensors")


def speech_encoders(folder: Path) -> tuple[str, ...]:
    """The speech encoders of which all weights are there."""
    return tuple(
        name for name in SPEECH_ENCODERS if all(is_file(part_path(folder, part, name)) for part in ("speech", "fusion"))
    )


def preferred_speech_encoder(folder: Path) -> str:
    """The speech encoder of whoever asks for none: the last one of which all weights are there, else the paper's."""
    there = speech_encoders(folder)
    return there[-1] if there else SPEECH_ENCODERS[0]


def check(folder: Path, speech_encoder: str) -> None:
    """Raise ``WeightsError`` for a file that another speech encoder than the paper's needs and that is not there."""
    if speech_encoder not in SPEECH_ENCODERS:
        raise WeightsError(
            say("weights.speech_encoder", speech_encoder=speech_encoder, names=", ".join(SPEECH_ENCODERS))
        )
    stages = {"speech": speech_encoder, "fusion": f"fusion --speech-encoder {speech_encoder}"}
    for part, stage in stages.items():
        needed = part_path(folder, part, speech_encoder)
        if not is_file(needed):
            raise WeightsError(
                say(
                    "weights.needed",
                    speech_encoder=speech_encoder,
                    file=needed.name,
                    folder=folder,
                    stage=stage,
                    other=SPEECH_ENCODERS[0],
                )
            )


def copy(folder: Path, to: Path) -> None:
    """Copy a whole folder of weights as the Hugging Face Hub lays it out: the card as README.md, and a config.json.

    All speech encoders that are there, the figures, terms and fingerprint; the ready-made models beside them are not a
    part of it. Raises ``WeightsError``.
    """
    encoders = speech_encoders(folder) or SPEECH_ENCODERS[:1]
    paths = {part_path(folder, part, encoder) for part in part_names(folder) for encoder in encoders}
    paths |= {folder / name for name in (MEASURED_FILE, CORPORA_FILE, FINGERPRINT_FILE, LICENCE_FILE, HUB_CARD_FILE)}
    target = {path: path.name for path in sorted(paths)} | {folder / CARD_FILE: HUB_CARD_FILE}
    to.mkdir(parents=True, exist_ok=True)
    for path, name in target.items():
        if path.is_file() and path.resolve() != (to / name).resolve():
            shutil.copyfile(path, to / name)
    config = stored_config(folder, preferred_speech_encoder(folder))
    (to / HUB_CONFIG_FILE).write_text(json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def save(path: Path, state: dict[str, Tensor], config: dict, half: bool = True) -> None:
    """Write tensors, in float16 where ``half``, with ``config`` in the file's header."""
    from safetensors.torch import save_file

    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).contiguous().cpu()
        for name, value in state.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": WEIGHTS_FORMAT, "config": json.dumps(config)})


def load(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Read tensors (as float32) and config; a damaged or foreign file raises ``WeightsError``."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except (SafetensorError, OSError) as error:
        raise WeightsError(say("weights.unreadable", file=path.name, error=str(error))) from error
    if metadata.get("format") != WEIGHTS_FORMAT:
        raise WeightsError(say("weights.format", file=path.name, format=WEIGHTS_FORMAT))
    floats = {name: value.float() if value.dtype == torch.float16 else value for name, value in state.items()}
    return floats, _config(metadata, path)


def _config(metadata: dict[str, str], path: Path) -> dict:
    try:
        config = json.loads(metadata["config"])
    except (KeyError, ValueError, RecursionError) as error:
        raise WeightsError(say("weights.silent", file=path.name, error=repr(error))) from error
    if not isinstance(config, dict):
        raise WeightsError(say("weights.no_config", file=path.name))
    return config


def labels(config: dict, path: Path) -> list[str]:
    """The labels that the config of a file names: two or more different texts. Raises ``WeightsError``."""
    names: Any = config.get("labels")
    good = isinstance(names, list) and 2 <= len(names) <= MAX_LABELS and all(isinstance(n, str) and n for n in names)
    if not good or len(set(names)) != len(names):
        raise WeightsError(say("weights.labels", file=path.name))
    return names


def stored_config(folder: Path, speech_encoder: str = SPEECH_ENCODERS[0]) -> HFFConfig:
    """What the fusion weights in ``folder`` are, from their header alone: PyTorch is not needed for it.

    Raises ``WeightsError``.
    """
    path = part_path(folder, "fusion", speech_encoder)
    with _readable(path):
        config = _header(path)
        labels(config, path)
        return HFFConfig.from_dict(config)


def preferred_config() -> HFFConfig:
    """What the weights are that ``hff.load()`` takes, from their header alone. Raises ``WeightsError``."""
    there = folder()
    return stored_config(there, preferred_speech_encoder(there))


def stored_labels(path: Path) -> tuple[str, ...]:
    """The labels of one file of weights, from its header alone. Raises ``WeightsError``."""
    with _readable(path):
        return tuple(labels(_header(path), path))


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(say("weights.unreadable", file=path.name, error=str(error))) from error


def _header(path: Path) -> dict:
    """The config in the header of a file of weights."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_HEADER_BYTES:
            raise ValueError("its header is too long")
        return _config(json.loads(file.read(size)).get("__metadata__") or {}, path)


def check_shapes(build: Callable[[], torch.nn.Module], state: dict[str, Tensor], name: str) -> None:
    """Raise ``WeightsError`` if the module that ``build`` makes has other tensors than ``state``.

    Found out without memory for the module: a damaged config may ask for any size.
    """
    import torch

    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in build().state_dict().items()}
    stored = {key: tuple(value.shape) for key, value in state.items()}
    if different := sorted(key for key, shape in expected.items() if stored.get(key) != shape):
        raise WeightsError(say("weights.shapes", name=name, names=", ".join(different[:3])))


def fill(module: torch.nn.Module, state: dict[str, Tensor], name: str, partial: bool = False) -> None:
    """Load ``state`` into ``module``; ``partial`` admits tensors that keep what they have."""
    try:
        result = module.load_state_dict(state, strict=not partial)
    except RuntimeError as error:
        raise WeightsError(say("weights.version", name=name, error=str(error))) from error
    if result.unexpected_keys:
        raise WeightsError(say("weights.unknown", name=name, names=result.unexpected_keys))


def filled(build: Callable[[], ModuleT], state: dict[str, Tensor], name: str) -> ModuleT:
    """The module that ``build`` makes, with ``state`` for its tensors, all of them.

    The random ones that a new module begins with are not drawn: they would take longer than the reading of ``state``.
    Raises ``WeightsError`` where ``state`` lacks one, so that none is left as the memory happened to be.
    """
    from torch.nn import init
    from torch.overrides import TorchFunctionMode

    class WithoutInitialisation(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            # By name: a tensor's own ``normal_``, PyTorch's ``init.normal_`` and what transformers puts in its place.
            if (name := getattr(function, "__name__", "")).endswith("_") and hasattr(init, name):
                return args[0] if args else (kwargs or {})["tensor"]
            return function(*args, **(kwargs or {}))

    with WithoutInitialisation():
        module = build()
    fill(module, state, name)
    return module
