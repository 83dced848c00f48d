"""Two processes on one machine's CPUs, started by Accelerate's own launcher, train to the weights of one process."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hff.errors import HFFError
from train.engine import parallel, record
from train.engine.loop import Plan, fit
from train.fusion.pairing import Batch

PLAN = Plan(epochs=3, learning_rate=0.02, bf16=False, patience=10, average=0.9)
SECONDS = 240  # to wait for both processes on a busy machine
ITEMS = 15  # of a batch: one process gets 7, the other 8


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.Tanh())
        self.head, self.unused = nn.Linear(16, 3), nn.Linear(16, 3)


def batches(epoch: int):
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(5):
        x = torch.randn(ITEMS, 4, generator=generator)
        yield x, {"target": x[:, :3].argmax(1), "number": 7}, 0.5


def loss(model: Net, batch) -> torch.Tensor:
    x, more, half = batch
    assert more["number"] == 7
    assert half == 0.5
    return nn.functional.cross_entropy(model.head(model.body(x)), more["target"])  # not through Net.forward


def validate(model: Net) -> dict[str, float]:
    x, more, _ = next(iter(batches(99)))
    return {"score": -float(nn.functional.cross_entropy(model.head(model.body(x)), more["target"]))}


def train(folder: Path, plan: Plan = PLAN) -> dict[str, float]:
    device = parallel.join(torch.device("cpu"))
    model = Net()
    best = fit(model, batches, 5, loss, validate, plan, folder, device)
    np.save(folder / f"process{parallel.rank()}.npy", model.head.weight.detach().numpy())
    parallel.wait(device)
    return best


def launch(folder: Path) -> subprocess.CompletedProcess:
    """``accelerate launch`` of this file in two processes."""
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        "0",
        __file__,
        str(folder),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)


def test_two_processes_give_the_weights_of_one(tmp_path):
    best = train(tmp_path / "one")
    # Begun by one process and gone on with by two, so that the checkpoint is shared as well.
    train(tmp_path / "two", dataclasses.replace(PLAN, epochs=1))
    finished = launch(tmp_path / "two")
    assert finished.returncode == 0, finished.stderr
    assert "resuming two after epoch 1" in finished.stdout
    rows = {name: record.read_log(tmp_path / name) for name in ("one", "two")}
    assert [row["epoch"] for row in rows["two"]] == ["1", "2", "3"]
    for one, two in zip(rows["one"], rows["two"], strict=True):
        assert float(two["loss"]) == pytest.approx(float(one["loss"]), rel=1e-5)
        assert float(two["score"]) == pytest.approx(float(one["score"]), rel=1e-5)
    assert best["score"] == pytest.approx(float(rows["one"][-1]["score"]))
    one, two = (load_file(tmp_path / name / "best.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)
    first, second = (np.load(tmp_path / "two" / f"process{rank}.npy") for rank in (0, 1))
    np.testing.assert_array_equal(first, second)
    described = json.loads((tmp_path / "two" / "run.json").read_text())
    assert [session["processes"] for session in described["sessions"]] == [1, 2]


@pytest.mark.parametrize(("items", "size"), [(15, 2), (16, 3), (4, 4)])
def test_shares_are_the_whole_and_weigh_as_it(monkeypatch, items, size):
    x = torch.randn(items, 2)
    monkeypatch.setenv("WORLD_SIZE", str(size))
    parts, weighted = [], 0.0
    for rank in range(size):
        monkeypatch.setenv("RANK", str(rank))
        (part, more), weight = parallel.shard((x, {"scale": torch.tensor(2.0)}))
        assert more["scale"] == 2
        parts.append(part)
        weighted += float(part.mean()) * weight / size
    assert torch.equal(torch.cat(parts), x)
    assert weighted == pytest.approx(float(x.mean()), abs=1e-6)


def test_a_batch_smaller_than_the_processes_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(HFFError, match="fewer"):
        parallel.shard(torch.zeros(3, 2))


def test_augmented_clips_stay_with_their_originals():
    """Of 10 clips, the first 4 come again, augmented, at the end."""
    number = torch.cat([torch.arange(10), torch.arange(4)])
    grid = number[:, None, None].float()
    batch = Batch(grid, grid, grid, grid > -1, grid, grid[..., None], number, augmented=4)
    seen = []
    for rank in (0, 1):
        part = batch.share(rank, 2)
        assert part.augmented == 2
        assert torch.equal(part.target[:2], part.target[-2:])
        assert torch.equal(part.speech[:, 0, 0].long(), part.target)
        seen += part.target[:-2].tolist()
    assert sorted(seen) == list(range(10))


@pytest.mark.parametrize("size", [3, 4, 5, 6, 7, 10])
def test_any_number_of_processes_shares_the_fusions_batch(size):
    """Equal parts of 10 clips, 4 of them augmented; no clip twice, and as few left out as can be."""
    number = torch.cat([torch.arange(10), torch.arange(4)])
    grid = number[:, None, None].float()
    batch = Batch(grid, grid, grid, grid > -1, grid, grid[..., None], number, augmented=4)
    parts = [batch.share(rank, size) for rank in range(size)]
    assert len({(len(part.target), part.augmented) for part in parts}) == 1
    seen = []
    for part in parts:
        again = part.augmented
        alone = part.target[: len(part.target) - again]
        assert torch.equal(alone[:again], part.target[len(alone) :])
        seen += alone.tolist()
    assert len(set(seen)) == len(seen) >= size
    assert len(seen) > 10 - 2 * size


def test_fewer_clips_than_processes_are_refused():
    number = torch.arange(3)
    grid = number[:, None, None].float()
    batch = Batch(grid, grid, grid, grid > -1, grid, grid[..., None], number)
    with pytest.raises(HFFError, match="cannot be shared by 4 processes"):
        batch.share(0, 4)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
