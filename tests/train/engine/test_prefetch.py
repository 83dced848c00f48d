"""Batches made ahead: the same ones, errors at their place, and a maker that ends with its reader."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from train.engine.prefetch import ahead

GPU = torch.device("cuda")  # only its name is looked at


def makers() -> int:
    return sum(thread.name == "batches" for thread in threading.enumerate())


@pytest.mark.parametrize("device", [GPU, torch.device("cpu")])
def test_the_same_batches_in_the_same_order(device):
    assert list(ahead(iter(range(50)), device)) == list(range(50))
    assert makers() == 0


def test_they_are_made_while_others_are_worked_on():
    made = []

    def batches():
        for number in range(8):
            made.append(number)
            yield number

    several = ahead(batches(), GPU, count=3)
    assert next(several) == 0
    deadline = time.monotonic() + 20
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 4 <= len(made) <= 5  # three wait, one may be in hand
    several.close()
    assert makers() == 0


def test_an_error_comes_where_the_batch_would_have():
    def batches():
        yield 1
        raise ValueError("a damaged file")

    several = ahead(batches(), GPU)
    assert next(several) == 1
    with pytest.raises(ValueError, match="a damaged file"):
        next(several)
    assert makers() == 0
