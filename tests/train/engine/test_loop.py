"""The training loop: what a kill costs, when it stops, how the learning rate falls, what it leaves behind."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from train.engine import data_files, learning_curve, loop, record, whole_files
from train.engine.loop import Plan, WeightAverage, fit

BATCHES = 4
CPU = torch.device("cpu")
PLATEAU = Plan(epochs=4, learning_rate=0.02, bf16=False, patience=10)
COSINE = replace(PLATEAU, schedule="cosine", average=0.9, warmup=0.25)


class Killed(BaseException):
    """What a kill looks like from inside: nothing catches it."""


def small_model() -> nn.Module:
    torch.manual_seed(11)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))


def batches(epoch: int):
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(BATCHES):
        x = torch.randn(16, 3, generator=generator)
        yield x, x.sum(1, keepdim=True)


def error(model: nn.Module, batch) -> torch.Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def validate(model: nn.Module) -> dict[str, float]:
    assert not model.training
    return {"score": -float(error(model, next(iter(batches(99)))))}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def train(folder: Path, plan: Plan, loss=error, check=validate) -> tuple[nn.Module, dict[str, float]]:
    model = small_model()
    return model, fit(model, batches, BATCHES, loss, check, plan, folder, CPU)


def killed_after(count: int):
    """A loss that is cut off at its ``count``-th batch."""
    done = []

    def loss(model, batch):
        done.append(1)
        if len(done) > count:
            raise Killed
        return error(model, batch)

    return loss


@pytest.mark.parametrize("plan", [PLATEAU, COSINE], ids=["plateau", "cosine with average"])
@pytest.mark.parametrize("kills", [(2,), (BATCHES,), (2 * BATCHES + 3, BATCHES + 1)])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, plan, kills):
    straight, best = train(tmp_path / "straight", plan)
    for batches_done in kills:
        with pytest.raises(Killed):
            train(tmp_path / "killed", plan, loss=killed_after(batches_done))
    resumed, best_resumed = train(tmp_path / "killed", plan)
    assert best_resumed == best
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, atol=0, rtol=0)
    states = [torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("straight", "killed")]
    for name, value in states[0]["model"].items():
        torch.testing.assert_close(states[1]["model"][name], value, atol=0, rtol=0)
    assert [row["epoch"] for row in rows(tmp_path / "killed")] == ["1", "2", "3", "4"]
    assert [row["loss"] for row in rows(tmp_path / "killed")] == [row["loss"] for row in rows(tmp_path / "straight")]


MOMENTS = {  # what is being done when the process is killed in the second epoch
    "best weights half written": (whole_files, "write_whole", "best.safetensors"),
    "log half written": (record, "write_whole", "log.csv"),
    "curve half drawn": (learning_curve, "write_whole", "curve.png"),
    "checkpoint half written": (torch, "save", "last.part"),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("epoch", [1, 2])
def test_a_kill_while_files_are_written_costs_one_epoch(tmp_path, monkeypatch, moment, epoch):
    straight, best = train(tmp_path / "straight", COSINE)
    module, name, file = MOMENTS[moment]
    real = getattr(module, name)
    calls = []

    def torn(first, second):
        path = Path(second if module is torch else first)
        calls.append(path.name)
        skipped = 1 if file == "log.csv" else 0  # resuming writes the log once
        if path.name == file and calls.count(file) == epoch + skipped:
            path.with_name(path.name if module is torch else path.name + ".part").write_bytes(b"half a file")
            raise Killed
        return real(first, second)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "CURVE_SECONDS", 0.0)
        patch.setattr(module, name, torn)
        with pytest.raises(Killed):
            train(tmp_path / "killed", COSINE)
    begun = []
    resumed, best_resumed = train(
        tmp_path / "killed", COSINE, loss=lambda model, batch: begun.append(1) or error(model, batch)
    )
    assert len(begun) == BATCHES * (COSINE.epochs - (epoch - 1))
    assert best_resumed == best
    for key, value in straight.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value, atol=0, rtol=0)
    assert [row["epoch"] for row in rows(tmp_path / "killed")] == ["1", "2", "3", "4"]
    columns = {"loss", "score"}
    logs = [[{k: row[k] for k in columns} for row in rows(tmp_path / run)] for run in ("straight", "killed")]
    assert logs[0] == logs[1]


def test_a_process_that_is_killed_outright_goes_on(tmp_path):
    """SIGKILL, which no code hears of, in the third epoch; a new process goes on. Each trains in one of its own."""

    def process(run: str, batches_until_killed: int) -> int:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
        command = [sys.executable, __file__, str(tmp_path / run), str(batches_until_killed)]
        return subprocess.run(command, env=environment, timeout=240).returncode

    assert process("straight", COSINE.epochs * BATCHES) == 0
    assert process("killed", 2 * BATCHES + 1) == -signal.SIGKILL
    assert process("killed", 2 * BATCHES) == 0, "it has more to do than what was lost"
    straight, resumed = (load_file(tmp_path / run / "best.safetensors") for run in ("straight", "killed"))
    assert straight.keys() == resumed.keys()
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, atol=0, rtol=0)
    scores = [[row["score"] for row in rows(tmp_path / run)] for run in ("straight", "killed")]
    assert scores[0] == scores[1]


def test_a_run_describes_itself(tmp_path, capsys):
    data = tmp_path / "made.csv"
    data.write_text("a,b\n1,2\n")
    folder = tmp_path / "run"
    with data_files.reading():
        data_files.used("Made", data)
        train(folder, replace(PLATEAU, epochs=1))
    told = json.loads((folder / "run.json").read_text())
    assert (told["seed"], told["plan"]["learning_rate"]) == (PLATEAU.seed, PLATEAU.learning_rate)
    assert told["data"]["Made"] | {"sha256": ""} == {"files": 1, "bytes": 8, "sha256": ""}
    assert told["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert Image.open(folder / "curve.png").size > (600, 400)
    data.write_text("a,b\n1,3\n")
    with data_files.reading():
        data_files.used("Made", data)
        train(folder, PLATEAU)
    printed = capsys.readouterr().out
    assert "note: run goes on with another data than it began with" in printed
    assert "note: run goes on with another plan" in printed
    again = json.loads((folder / "run.json").read_text())
    assert len(again.pop("sessions")) == 2
    assert again.items() <= told.items()


def test_a_fingerprint_sees_the_middle_of_a_long_file(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "SAMPLE", 10)
    path = tmp_path / "long.bin"
    content = bytearray(100)
    seen = []
    for place in (None, 5, 50, 97):
        changed = content.copy()
        if place is not None:
            changed[place] = 1
        path.write_bytes(changed)
        seen.append(data_files.fingerprint({path})["sha256"])
    assert len(set(seen)) == 4
    path.write_bytes(content + b"0")
    assert data_files.fingerprint({path})["sha256"] not in seen


def test_a_loss_that_is_no_number_ends_the_run_with_a_word(tmp_path):
    with pytest.raises(loop.TrainingError, match="epoch 1 is nan"):
        train(tmp_path, PLATEAU, loss=lambda model, batch: error(model, batch) * float("nan"))
    assert not (tmp_path / "last.pt").exists()


def test_checkpoints_that_do_not_fit_are_refused(tmp_path):
    train(tmp_path, replace(PLATEAU, epochs=1))
    with pytest.raises(loop.TrainingError, match="another model"):
        fit(nn.Linear(3, 1), batches, BATCHES, error, validate, PLATEAU, tmp_path, CPU)
    (tmp_path / "last.pt").write_bytes((tmp_path / "last.pt").read_bytes()[:100])
    with pytest.raises(loop.TrainingError, match="damaged"):
        train(tmp_path, PLATEAU)


def test_a_finished_run_is_not_done_again(tmp_path):
    model, best = train(tmp_path, PLATEAU)
    again, best_again = train(tmp_path, PLATEAU, loss=killed_after(0))
    assert best_again == best
    assert len(rows(tmp_path)) == PLATEAU.epochs
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_training_learns(tmp_path):
    _, best = train(tmp_path, replace(PLATEAU, epochs=30))
    assert best["score"] > -1.0  # of a target with variance 3
    assert best["score"] == max(float(row["score"]) for row in rows(tmp_path))
    assert float(rows(tmp_path)[-1]["loss"]) < float(rows(tmp_path)[0]["loss"]) / 2


def scripted(*scores: float):
    """A validation that gives these scores in turn, and remembers the weights it was shown."""
    left, shown = list(scores), []

    def check(model):
        shown.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"score": left.pop(0)}

    return check, shown


def test_early_stop_keeps_the_best_epoch(tmp_path):
    check, shown = scripted(0.5, 0.7, 0.6, 0.65, 0.7, 0.9)
    model, best = train(tmp_path, replace(PLATEAU, epochs=6, patience=3), check=check)
    assert len(shown) == 5  # an equal score is no improvement
    assert (best["epoch"], best["score"]) == (2, 0.7)
    stored = load_file(tmp_path / "best.safetensors")
    for name, value in shown[1].items():
        assert torch.equal(model.state_dict()[name], value)
        assert torch.equal(stored[name], value)
    assert not model.training


def test_early_stop_holds_after_a_resume(tmp_path):
    plan = replace(PLATEAU, epochs=6, patience=2)
    train(tmp_path, plan, check=scripted(0.5, 0.4, 0.3)[0])
    _, best = train(tmp_path, plan, check=scripted()[0])
    assert best["epoch"] == 1


def rate(folder: Path) -> float:
    return torch.load(folder / "last.pt", weights_only=True)["optimizer"]["param_groups"][0]["lr"]


def test_learning_rate_falls_on_a_plateau(tmp_path):
    for epochs, factor in ((2, 1), (3, 0.3), (5, 0.09)):
        check, _ = scripted(0.5, 0.4, 0.4, 0.4, 0.4)
        train(tmp_path / str(epochs), replace(PLATEAU, epochs=epochs), check=check)
        assert rate(tmp_path / str(epochs)) == pytest.approx(0.02 * factor)


def rates_of(folder: Path, plan: Plan) -> list[float]:
    """The learning rate of every step of a training."""
    rates = []
    watching = register_optimizer_step_pre_hook(
        lambda optimizer, args, kwargs: rates.append(optimizer.param_groups[0]["lr"])
    )
    try:
        train(folder, plan)
    finally:
        watching.remove()
    return rates


def test_cosine_rises_then_falls_to_nothing(tmp_path):
    rates = rates_of(tmp_path, replace(COSINE, epochs=4, learning_rate=1.0))
    assert len(rates) == 16
    assert rates[:4] == sorted(rates[:4])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[0] < 0.3
    assert max(rates) > 0.8
    assert rate(tmp_path) == pytest.approx(0, abs=1e-6)


def test_a_cycle_starts_anew_where_the_one_before_ended(tmp_path):
    rates = rates_of(tmp_path, replace(COSINE, epochs=5, cycles=(2, 3), warmup=0.0, learning_rate=1.0))
    for start, length in ((0, 2 * BATCHES), (2 * BATCHES, 3 * BATCHES)):
        expected = [0.5 * (1 + math.cos(math.pi * n / length)) for n in range(length)]
        assert rates[start : start + length] == pytest.approx(expected)


def test_weights_that_come_with_a_cycle_behind_them_start_the_next(tmp_path):
    seen = []
    plan = replace(COSINE, epochs=5, cycles=(2, 3))
    model = small_model()

    def numbered(epoch: int):
        seen.append(epoch)
        return batches(epoch)

    best = fit(model, numbered, BATCHES, error, scripted(*[0.1] * 5)[0], plan, tmp_path, CPU, done=2)
    assert seen == [2, 3, 4]
    assert best["epoch"] == 3
    assert rate(tmp_path) == pytest.approx(0, abs=1e-6)


def test_average_of_the_weights_by_hand():
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = WeightAverage(model, 0.5)
    expected = 0.0
    for update, value in enumerate((1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0), 1):
        nn.init.constant_(model.weight, value)
        average.update(model)
        decay = min(0.5, (1 + update) / (10 + update))  # short memory at the beginning
        expected = decay * expected + (1 - decay) * value
    torch.testing.assert_close(average.state["weight"], torch.full((1, 2), expected))


def test_the_average_is_what_is_validated_and_kept_while_training_goes_on_from_the_weights(tmp_path):
    check, shown = scripted(0.1, 0.2)
    train(tmp_path, replace(COSINE, epochs=2), check=check)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert torch.equal(shown[1]["0.weight"], state["average"]["0.weight"])
    assert not torch.equal(state["model"]["0.weight"], state["average"]["0.weight"])
    assert torch.equal(load_file(tmp_path / "best.safetensors")["0.weight"], state["average"]["0.weight"])


def test_gradients_are_clipped(tmp_path, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **options):
        norms.append(torch.cat([p.grad.flatten() for p in self.param_groups[0]["params"]]).norm().item())
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    train(tmp_path, replace(PLATEAU, epochs=1, clip_norm=0.5), loss=lambda m, b: 1e4 * error(m, b))
    assert norms == pytest.approx([0.5] * BATCHES, rel=1e-3)


def test_progress_tells_the_time_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    train(tmp_path, replace(PLATEAU, epochs=2))
    lines = [line for line in capsys.readouterr().out.splitlines() if "min left" in line]
    assert len(lines) == 2 * BATCHES
    assert "epoch 2/2 batch 4/4" in lines[-1]
    assert "0.0 min left" in lines[-1]
    assert ["best" in line for line in lines] == [False] * BATCHES + [True] * BATCHES  # none before there is one
    assert not any("nan" in line for line in lines)


def test_a_compiled_model_learns_the_same(tmp_path, monkeypatch):
    asked = []
    compiled = nn.Module.compile

    def eagerly(self, *args, **options):
        asked.append(self)
        compiled(self, *args, backend="eager", **options)  # what is compiled for a machine takes its time

    monkeypatch.setattr(nn.Module, "compile", eagerly)
    plan = replace(PLATEAU, epochs=2)
    plain, _ = train(tmp_path / "plain", plan)
    assert not asked
    other, _ = train(tmp_path / "compiled", replace(plan, compiled=True))
    assert len(asked) == 1
    assert plain.state_dict().keys() == other.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)


def test_defaults_are_those_of_section_4_1():
    plan = Plan()
    assert (plan.epochs, plan.learning_rate, plan.batch_size, plan.patience) == (50, 3e-4, 64, 5)
    assert plan.weight_decay > 0
    assert plan.clip_norm > 0
    assert plan.schedule == "plateau"


if __name__ == "__main__":
    allowed = int(sys.argv[2])

    def fatal(model, batch, done=[]):  # noqa: B006 - counts the calls
        done.append(1)
        if len(done) > allowed:
            os.kill(os.getpid(), signal.SIGKILL)
        return error(model, batch)

    train(Path(sys.argv[1]), COSINE, loss=fatal)
