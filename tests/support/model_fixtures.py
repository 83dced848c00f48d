"""Small models and random clips for the tests of the fusion."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch

from hff import weights
from hff.config import HFFConfig
from hff.model.hff import HFF, FusionOutput

DIMS = {"speech": 12, "text": 10, "vision": 8}  # the paper's modalities, whatever else is registered
SHIPPED = tuple(DIMS)  # that the shipped weights know
SIZES = {"d_model": 16, "layers": 2, "heads": 4, "novelty_rank": 5}


def small_config(**changes) -> HFFConfig:
    dims = DIMS | {m: changes.pop(f"{m}_dim") for m in DIMS if f"{m}_dim" in changes}
    return HFFConfig(**({"dims": dims} | SIZES | changes))


def small_model(seed: int = 0, **changes) -> HFF:
    """A small model in evaluation mode with every parameter random, so that no term is hidden by a 0 or a 1."""
    torch.manual_seed(seed)
    model = HFF(small_config(**changes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("rho"):
                parameter.uniform_(-3, -1)
            else:
                parameter.add_(0.2 * torch.randn_like(parameter))
        if model.config.bounded:
            for layer, scale in zip(model.novelty, model.scale, strict=True):
                for buffer in (layer.centre, layer.whiten, layer.means, layer.weights):
                    buffer.copy_(0.3 * torch.randn_like(buffer))
                layer.basis.copy_(torch.linalg.qr(torch.randn(*layer.basis.shape))[0][:, : layer.basis.shape[1]])
                layer.bias.fill_(-1)
                scale.error.copy_(torch.rand_like(scale.error).cumsum(0) / len(scale.error))
    return model


def random_clips(
    config: HFFConfig, batch: int, steps: int, seed: int = 0, present: np.ndarray | None = None
) -> dict[str, torch.Tensor]:
    """The keyword arguments of ``HFF.forward``; presence random with at least one modality at every step."""
    generator = torch.Generator().manual_seed(seed)
    clips = {name: torch.randn(batch, steps, size, generator=generator) for name, size in config.dims.items()}
    shape = (batch, steps, len(config.dims))
    if present is None:
        there = torch.rand(shape, generator=generator) < 0.6
        there[..., 1] |= ~there.any(-1)
    else:
        there = torch.as_tensor(present, dtype=torch.bool).expand(shape).clone()
    return clips | {"present": there}


def figures(output: FusionOutput) -> dict[str, torch.Tensor]:
    """Every tensor of an output by name."""
    return {name: value for name, value in vars(output).items() if value is not None}


def assert_same(a: FusionOutput, b: FusionOutput, atol: float = 1e-5) -> None:
    """Every figure of two outputs is the same."""
    left, right = figures(a), figures(b)
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], atol=atol, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def copied_weights(folder: Path, *names: str) -> Path:
    """A folder of the shipped weights of these parts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(weights.folder() / f"{name}.safetensors", folder / f"{name}.safetensors")
    return folder
