"""What is unlike the training: distances by hand, and a rise that leaves the usual low."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hff.model.error_scale import ErrorScale
from hff.model.novelty import Novelty
from hff.model.uncertainty import MAX_ERROR
from train.fusion import fit_novelty
from train.fusion.calibration import set_scale


def made(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes along the first axis, spread along four, next to nothing in the other four."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(400) % 2
    x = torch.randn(400, 8, generator=generator) * torch.tensor([1, 1, 1, 1, 0.05, 0.05, 0.05, 0.05])
    x[:, 0] += 8.0 * label
    return x + 3, label


def test_distances_are_those_of_mahalanobis():
    x, label = made()
    layer = Novelty(8, 4, 2)
    fit_novelty.fit_usual(layer, x, label)
    centred = x - x.mean(0)
    values, vectors = np.linalg.eigh(np.cov(centred.numpy().T, bias=True))
    white = centred.numpy() @ (vectors[:, -4:] / np.sqrt(values[-4:] * 1 + fit_novelty.SHRINK * values[-1]))
    means = [white[label.numpy() == c].mean(0) for c in (0, 1)]
    inside = np.min([((white - mean) ** 2).mean(1) for mean in means], axis=0)
    outside = ((centred.numpy() @ vectors[:, :-4] @ vectors[:, :-4].T) ** 2).mean(1)
    np.testing.assert_allclose(layer.distances(x), np.log(np.stack([inside, outside], 1)), atol=1e-3)


def test_nothing_is_novel_before_it_is_fitted():
    assert (Novelty(8, 4, 2)(torch.randn(20, 8) * 100) == 0).all()


@pytest.mark.parametrize("direction", [1, 6])
def test_the_usual_stays_low_and_the_strange_rises(direction):
    """Far along a usual direction between the classes, or a little in one that never moves."""
    x, label = made()
    held, _ = made(1)
    layer = Novelty(8, 4, 2)
    fit_novelty.fit_usual(layer, x, label)
    other = held.clone()
    other[:, direction] += 9.0 if direction < 4 else 1.0
    fit_novelty.fit_rise(layer, held, other)
    usual, strange = layer(held), layer(other)
    assert usual.quantile(fit_novelty.QUANTILE).item() == pytest.approx(fit_novelty.USUAL_NOVELTY, abs=0.01)
    assert strange.median() > 0.9
    assert layer(held * torch.tensor([1.0, 1, 1, 1, 1, 1, 1, 1])).median() < fit_novelty.USUAL_NOVELTY


def test_more_directions_than_dimensions():
    x, label = made()
    layer = Novelty(8, 12, 2)
    fit_novelty.fit_usual(layer, x, label)
    assert layer.distances(x).isfinite().all()


def test_the_scale_maps_raw_sigma_to_the_error_and_never_falls():
    rng = np.random.default_rng(0)
    raw = rng.uniform(0, 1.8, 4000)
    error = np.clip(0.2 + 0.4 * raw**2 + rng.normal(0, 0.2, 4000), 0, 2)
    scale = ErrorScale(24)
    torch.testing.assert_close(scale(torch.tensor([0.0, 0.7, 2.0])), torch.tensor([0.0, 0.7, 2.0]))
    set_scale(scale, raw, error, np.ones(4000))
    at = torch.linspace(0, 2, 101)
    mapped = scale(at)
    assert (mapped.diff() >= 0).all()
    assert 0 < mapped.min() <= mapped.max() <= MAX_ERROR
    inner = (at > 0.2) & (at < 1.7)
    np.testing.assert_allclose(mapped[inner], 0.2 + 0.4 * at[inner] ** 2, atol=0.06)
    torch.testing.assert_close(scale(torch.tensor([-1.0, 3.0])), mapped[[0, -1]])


def test_items_that_count_more_pull_the_scale():
    scale = ErrorScale(24)
    raw, error = np.linspace(0.1, 1, 200), np.tile([0.0, 1.0], 100)
    set_scale(scale, raw, error, np.tile([3.0, 1.0], 100))
    assert scale(torch.tensor(0.5)).item() == pytest.approx(0.25, abs=0.08)
