"""Model, rivals and losses on made-up tensors of a GPU: one that is left on the CPU is found on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from hff.config import MODALITIES, HFFConfig
from hff.model.hff import HFF
from tests.support.model_fixtures import small_config
from train.fusion.losses import fusion_loss
from train.rivals import RIVALS, rival_loss

# Their graphs or correlations have shapes that hang on what the tensors hold, and these hold nothing.
BY_CONTENT = {"ICCN", "DialogueRNN", "DialogueGCN", "COGMEN"}
MODELS = {"HFF": HFF} | {name: build for name, build in RIVALS.items() if name not in BY_CONTENT}
CLIPS, STEPS = 6, 5


@contextmanager
def made_up() -> Iterator[None]:
    """Tensors that have a shape and a device, and no content; what looks at their content still may."""
    shapes = ShapeEnv(allow_scalar_outputs=True, allow_dynamic_output_shape_ops=True)
    with torch.backends.cudnn.flags(enabled=False), FakeTensorMode(shape_env=shapes):
        yield


def on_gpu(model: nn.Module) -> nn.Module:
    """As ``model.to("cuda")`` would leave it: parameters and buffers there, any other tensor where it was."""
    for part in model.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            setattr(part, name, nn.Parameter(value.detach().to("cuda"), requires_grad=value.requires_grad))
        for name, value in list(part.named_buffers(recurse=False)):
            setattr(part, name, value.to("cuda"))
    return model.train()


def loss_of(model: nn.Module, config: HFFConfig, dialogue: bool) -> torch.Tensor:
    inputs = {
        m: torch.randn(CLIPS, STEPS, size, device="cuda") for m, size in zip(MODALITIES, config.input_dims, strict=True)
    }
    if dialogue:
        inputs["speakers"] = torch.zeros(CLIPS, STEPS, dtype=torch.long, device="cuda")
    present = torch.ones(CLIPS, STEPS, len(MODALITIES), dtype=torch.bool, device="cuda")
    output = model(**inputs, present=present)
    target = torch.zeros(CLIPS, dtype=torch.long, device="cuda")
    if isinstance(model, HFF):
        severity = torch.zeros(CLIPS, STEPS, len(MODALITIES), device="cuda")
        return fusion_loss(model, output, target, present, severity, augmented=2)
    return output.step_logits.mean() if dialogue else rival_loss(output, target)


@pytest.mark.parametrize("dialogue", [False, True], ids=["clips", "dialogues"])
@pytest.mark.parametrize("name", MODELS)
def test_everything_stays_on_the_gpu(name, dialogue):
    config = small_config(speakers=2 * dialogue, past_only=dialogue)
    with made_up():
        assert loss_of(on_gpu(MODELS[name](config)), config, dialogue).device.type == "cuda"


def test_a_tensor_left_behind_is_found():
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.ones(3)  # no buffer, so that it does not move along

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    with made_up(), pytest.raises(RuntimeError, match="cpu"):
        on_gpu(Forgetful())(torch.ones(2, 3, device="cuda"))
