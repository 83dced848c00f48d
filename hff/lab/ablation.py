"""The paper's ablations (table 4) applied to a trained model, on the same weights.

This shows what the trained model loses when a part is taken out of it, not what a model trained without that
part would have learned; ``python -m train ablate`` measures the latter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from hff.model.hff import HFF

_SEED = 0  # of the random maps that stand in for the trained alignment


def switch_off(model: HFF, parts: Sequence[str]) -> HFF:
    """A model that shares all weights with ``model`` but works without ``parts``, in evaluation mode.

    parts: out of "attention", "dynamic_weighting", "temporal", "alignment". Without alignment the maps of
    equation (16) are random, as in the ablation; a part the model never had stays off.
    """
    switches: dict[str, Any] = {f"use_{part}": False for part in parts}
    config = dataclasses.replace(model.config, **switches)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        variant = HFF(config)
    weights = model.state_dict()
    if "alignment" in parts:
        weights = {name: value for name, value in weights.items() if not name.startswith("alignment.linear")}
    variant.load_state_dict(weights, strict=False, assign=True)
    return variant.to(next(model.parameters()).device).eval()


def trained_without(model: HFF) -> tuple[str, ...]:
    """The parts these weights were trained without."""
    switches = {field.name for field in dataclasses.fields(model.config) if field.name.startswith("use_")}
    return tuple(name.removeprefix("use_") for name in sorted(switches) if not getattr(model.config, name))
