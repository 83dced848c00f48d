"""The model as ONNX files, for programs that have no PyTorch: ``python -m hff export FOLDER``.

One file for each encoder and one for the fusion of each speech encoder, called as the weights they are made of. Any
number of clips, moments and tokens goes in; the fusion takes a minute at a time at most (``MAX_STEPS``), one block of
its attention. What makes raw sound, words and pictures into an encoder's input stays Python: ``hff.encoders`` has it.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import hff
from hff import device as devices
from hff import weights
from hff.config import FACE_SIZE, MAX_STEPS, SAMPLE_RATE, STEP_SECONDS
from hff.encoders.bert import MAX_TOKENS
from hff.encoders.resnet import normalise_faces
from hff.errors import DependencyError, HFFError, InputError
from hff.locale import say
from hff.model.hff import HFF, load_fusion
from hff.model.temporal import GatedRecurrentUnit
from hff.pipeline.analyzer import load_encoders
from hff.pretrained import sha256

TOLERANCE = 1e-4  # largest difference from PyTorch's outputs that a file may have
NEEDED = ("onnx", "onnxscript", "onnxruntime")
OPSET = 20
SHUT = 1e4  # a gate's input by which it lets nothing pass: its sigmoid is exactly 1, or 0
SIZES = (3, 1, 8)  # of the made-up batches that are compared; the first one is what the graph is traced with


@dataclass(frozen=True)
class Graph:
    """One file: what computes it and what goes in."""

    source: Path  # the weights
    module: nn.Module
    inputs: dict[str, dict[int, torch.export.Dim]]  # each input's axes of any length
    made_up: Callable[[int], tuple[Tensor, ...]]  # inputs of a size


@dataclass(frozen=True)
class Written:
    """A file that was written, and how far its outputs are at most from PyTorch's."""

    path: Path
    difference: float


def export(folder: Path, source: Path | None = None, speech_encoder: str | None = None) -> Iterator[Written]:
    """Write the model in ``source``, by default the shipped one, into ``folder``; one file after the other.

    speech_encoder: only that one's; by default all that there are. A file lies there once it has been compared with
    PyTorch on made-up inputs of ``SIZES``. Raises ``DependencyError`` without what ``hff[export]`` installs,
    ``InputError`` for a file that is there already or a folder that cannot be written to, ``WeightsError``, and
    ``HFFError`` for a difference above ``TOLERANCE``.
    """
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise DependencyError(say("export.missing", name=name)) from error
    source = weights.folder(source)
    if speech_encoder is not None:
        weights.check(source, speech_encoder)
    names = weights.speech_encoders(source) if speech_encoder is None else (speech_encoder,)
    wanted = {
        weights.part_path(source, part, name): (part, name) for name in names for part in weights.part_names(source)
    }
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in wanted:
            if (target := folder / onnx_name(path)).exists():
                raise InputError(say("export.there", file=target.name, folder=folder))
    for path, (part, name) in wanted.items():
        if part == "fusion":
            graph = fusion_graph(path, load_fusion(source, name))
        else:
            graph = encoder_graph(path, part, vars(load_encoders(source, devices.CPU, name, [part]))[part])
        yield write_graph(graph, folder)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(say("output.disk", path=folder, error=error.strerror or str(error))) from error


def onnx_name(source: Path) -> str:
    """What a file of weights is called as ONNX."""
    return source.with_suffix(".onnx").name


def write_graph(graph: Graph, folder: Path) -> Written:
    """Trace, write, compare; the file has its name only if it passes."""
    traced = Traced(traceable(graph.module))
    example = graph.made_up(SIZES[0])
    names = tuple(graph.module(*example))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of axes that are as long as another
        program = torch.onnx.export(
            traced.eval(),
            example,
            dynamo=True,
            dynamic_shapes=(tuple(graph.inputs.values()),),
            input_names=[*graph.inputs],
            output_names=names,
            opset_version=OPSET,
            verbose=False,
        )
    program.model.metadata_props.update(about(graph.source))
    path = folder / onnx_name(graph.source)
    unchecked = path.with_suffix(".unchecked")
    try:
        with _writing(folder):
            program.save(str(unchecked), external_data=False)
        difference = largest_difference(graph, unchecked)
        if not difference <= TOLERANCE:
            raise HFFError(say("export.differs", file=path.name, difference=difference, most=TOLERANCE))
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return Written(path, difference)


def about(source: Path) -> dict[str, str]:
    """What the metadata of a file says: of which weights it is, and what its numbers mean."""
    return {
        "labels": json.dumps(weights.stored_labels(source)),
        "weights": source.name,
        "weights_sha256": sha256(source),
        "hff_version": hff.__version__,
        "step_seconds": str(STEP_SECONDS),
        "terms": "those of the weights: see the LICENSE beside them",
    }


def largest_difference(graph: Graph, path: Path) -> float:
    """Between a file's outputs and PyTorch's, over made-up inputs of all ``SIZES``; NaN if one is no number."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    differences = []
    for size in SIZES:
        given = graph.made_up(size)
        with torch.inference_mode():
            expected = graph.module(*given)
        found = session.run([*expected], {name: x.numpy() for name, x in zip(graph.inputs, given, strict=True)})
        differences += [np.abs(a - b.numpy()).max() for a, b in zip(found, expected.values(), strict=True)]
    return float(np.max(differences))


class Traced(nn.Module):
    """A module with a dictionary of outputs, as one with a tuple of them, which keeps its order."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.module(*given).values())


# ---- encoders -----------------------------------------------------------------------------------------------


class EncoderOutputs(nn.Module):
    """An encoder's features (N,d), and what its own head says of each, (N,C)."""

    def __init__(self, encoder: nn.Module, features: str) -> None:
        super().__init__()
        self.encoder, self.features = encoder, features

    def forward(self, *given: Tensor) -> dict[str, Tensor]:
        features = getattr(self.encoder, self.features)(*given)
        return {"features": features, "probabilities": self.encoder.head(features).softmax(-1)}


def encoder_graph(source: Path, part: str, encoder: nn.Module) -> Graph:
    """As ``hff.pipeline.features`` uses it: a face together with its mirror image, a text as token ids and a mask."""
    many = torch.export.Dim("batch")
    if part == "text":
        tokens = torch.export.Dim("tokens", max=MAX_TOKENS)
        axes = {0: many, 1: tokens}
        return Graph(source, EncoderOutputs(encoder, "tokens_to_features"), {"ids": axes, "mask": axes}, made_up_tokens)
    if part == "vision":
        return Graph(source, EncoderOutputs(encoder, "mirrored_features"), {"faces": {0: many}}, made_up_faces)
    if part == "speech":
        return Graph(
            source,
            EncoderOutputs(encoder, "features"),
            {"windows": {0: many}},
            lambda size: (encoder.windows(made_up_sound(size), size),),
        )
    raise HFFError(say("export.part", part=part))


def made_up_tokens(size: int) -> tuple[Tensor, Tensor]:
    """Token ids and mask (size, 4 * size), each row as long as it likes."""
    draw = torch.Generator().manual_seed(size)
    lengths = torch.randint(2, 4 * size + 1, (size, 1), generator=draw)
    mask = (torch.arange(4 * size) < lengths).long()
    return torch.randint(1000, 20_000, mask.shape, generator=draw) * mask, mask


def made_up_faces(size: int) -> tuple[Tensor]:
    """(size,1,48,48), as ``normalise_faces`` makes them."""
    draw = torch.Generator().manual_seed(size)
    return (normalise_faces(torch.randint(0, 256, (size, FACE_SIZE, FACE_SIZE), dtype=torch.uint8, generator=draw)),)


def made_up_sound(size: int) -> Tensor:
    """(samples,) of so many steps: a tone that comes and goes, and a hiss."""
    draw = torch.Generator().manual_seed(size)
    time = torch.arange(round(size * STEP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    return 0.1 * (440 * torch.pi * time).sin() * (3 * time).sin() + 0.01 * torch.randn(time.shape, generator=draw)


# ---- fusion -------------------------------------------------------------------------------------------------


class FusionOutputs(nn.Module):
    """The fusion without draws (the mean, eps = 0): its outputs by name, features of each modality and presence in."""

    def __init__(self, model: HFF) -> None:
        super().__init__()
        self.model = model

    def forward(self, *given: Tensor) -> dict[str, Tensor]:
        output = self.model(**dict(zip((*self.model.config.dims, "present"), given, strict=True)))
        found = {
            "probabilities": output.probabilities,
            "step_probabilities": output.step_logits.softmax(-1).mean(0),
            "alone_probabilities": output.alone_logits.softmax(-1),
            "alpha0": output.alpha0,
            "precision": output.precision,
            "alpha": output.alpha,
            "aleatoric": output.aleatoric,
            "epistemic": output.epistemic,
            "beta": output.beta,
            "readings": output.readings,
            "attention": output.attention,
        }
        return {name: value for name, value in found.items() if value is not None}


class OnnxRecurrence(nn.Module):
    """``GatedRecurrentUnit`` as ONNX's own operator, whose loop over time has no fixed length.

    Where ours keeps (1 - z) h + z c, ONNX keeps (1 - z) c + z h: the update gate's weights change their sign. A step
    that is not valid has one more input that shuts that gate, so that the state passes over it unchanged.
    """

    weight: Tensor
    recurrent: Tensor
    bias: Tensor

    def __init__(self, unit: GatedRecurrentUnit) -> None:
        super().__init__()
        self.hidden = unit.hidden
        of_state = torch.cat([unit.gates_from_hidden.weight, unit.candidate_from_hidden.weight])
        shut = torch.zeros(3 * self.hidden, 1)
        shut[: self.hidden] = SHUT
        bias = _update_turned(unit.from_input.bias)
        self.register_buffer("weight", torch.cat([_update_turned(unit.from_input.weight), shut], 1).detach()[None])
        self.register_buffer("recurrent", _update_turned(of_state).detach()[None])
        self.register_buffer("bias", torch.cat([bias, torch.zeros_like(bias)]).detach()[None])

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """x (B,T,inputs), valid (B,T) -> h (B,T,hidden), in a graph: run as it is, it computes nothing."""
        steps = torch.cat([x, (~valid)[..., None].to(x.dtype)], -1).transpose(0, 1)
        states, _ = torch.onnx.ops.symbolic_multi_out(
            "GRU",
            (steps, self.weight, self.recurrent, self.bias),
            {"hidden_size": self.hidden, "linear_before_reset": 0},
            dtypes=(x.dtype, x.dtype),
            shapes=((x.shape[1], 1, x.shape[0], self.hidden), (1, x.shape[0], self.hidden)),
        )
        return states[:, 0].transpose(0, 1)


def traceable(module: nn.Module) -> nn.Module:
    """A copy whose recurrences are ONNX's."""
    module = copy.deepcopy(module)
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, GatedRecurrentUnit):
                setattr(part, name, OnnxRecurrence(child))
    return module


def _update_turned(weight: Tensor) -> Tensor:
    """Rows of update, reset and candidate, the first with the other sign."""
    update, rest = weight.split([len(weight) // 3, len(weight) - len(weight) // 3])
    return torch.cat([-update, rest])


def fusion_graph(source: Path, model: HFF) -> Graph:
    """Inputs: each modality's features (B,T,d) under its name, and ``present`` (B,T,M) bool."""
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", max=MAX_STEPS)}
    dims = model.config.dims

    def made_up(size: int) -> tuple[Tensor, ...]:
        draw = torch.Generator().manual_seed(size)
        steps = 2 * size - 1
        present = torch.rand(size, steps, len(dims), generator=draw) > 0.3
        return (*(torch.randn(size, steps, width, generator=draw) for width in dims.values()), present)

    return Graph(source, FusionOutputs(model), dict.fromkeys((*dims, "present"), axes), made_up)
