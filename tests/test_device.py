"""Half precision where it is faster, and where a clip's features lie."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from hff import device as devices

GPU = torch.device("cuda")


@pytest.mark.filterwarnings("ignore:.*CUDA is not available:UserWarning")
def test_half_precision_on_a_gpu():
    assert devices.half_precision(GPU).fast_dtype == torch.float16
    with devices.half_precision(torch.device("mps")):
        assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("able", [False, True])
@pytest.mark.parametrize("everywhere", [False, True])
def test_half_precision_on_a_cpu_that_multiplies_it_faster(monkeypatch, able: bool, everywhere: bool):
    monkeypatch.setattr(devices, "multiplies_bfloat16", lambda: able)
    with devices.same_on_every_cpu() if everywhere else nullcontext(), devices.half_precision(devices.CPU):
        assert torch.is_autocast_enabled("cpu") == (able and not everywhere)
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16


@pytest.mark.parametrize(
    ("has", "able"),
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True}, False)],
)
def test_which_cpus_multiply_bfloat16(monkeypatch, has: dict, able: bool):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert devices.multiplies_bfloat16.__wrapped__() is able


def test_what_a_cpu_has_is_known_or_nothing(monkeypatch):
    assert devices.multiplies_bfloat16() in (False, True)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert devices.multiplies_bfloat16.__wrapped__() is False


def test_features_stay_on_a_gpu_alone():
    assert devices.keeps(torch.device("cuda:1")) == torch.device("cuda:1")
    assert devices.keeps(torch.device("mps")) == devices.CPU
