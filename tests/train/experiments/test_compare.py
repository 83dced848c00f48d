"""``compare`` and ``ablate`` from cached features to tables, on tiny made features; resuming; merging tables."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import pytest
import torch
from safetensors.torch import save_file

from hff.config import EMOTIONS, MODALITIES, HFFConfig
from hff.model.hff import HFF
from train.__main__ import main
from train.engine import learning_curve
from train.evaluation import robustness
from train.evaluation import tables as report
from train.experiments import ablate, compare, trials
from train.experiments.trials import Arena, Condition, Contender, TrainingBudget, Trial
from train.fusion import feature_files, training
from train.fusion.pairing import CLEAN
from train.rivals import RIVALS

CLIP_READERS = [name for name, build in RIVALS.items() if not build.conversational]
CLIPS, STEPS = 28, 3  # a clip without a voice has up to three steps
CPU = torch.device("cpu")
BUDGET = ["--epochs", "1", "--batches", "1", "--device", "cpu"]
SEEDS = {"compare": "2", "ablate": "1"}
SMALL = {"d_model": 16, "layers": 1, "heads": 2}


def make_features(folder: Path, seed: int = 0) -> None:
    """Items of every split in the layout of ``feature_files``; a label shows in the features, damage hides it."""
    generator = torch.Generator().manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    label = torch.arange(14) % 7
    sizes = {"speech": (STEPS, 128), "text": (768,), "vision": (1, 512)}
    means = {m: torch.randn(7, *size, generator=generator) for m, size in sizes.items()}
    for split in feature_files.SPLITS:
        severity = torch.linspace(0, 1, 6).expand(14, -1)
        for m, size in sizes.items():
            noise = torch.randn(14, 6, *size, generator=generator)
            shown = (1 - severity).reshape(14, 6, *[1] * len(size)) * means[m][label][:, None]
            stored = {
                "features": shown + noise,
                "severity": severity.contiguous(),
                "label": label,
                "held_out": label >= 0,
                "teacher_logits": torch.randn(14, 6, *size[:-1], 7, generator=generator),
                "frequency": torch.full((7,), 1 / 7),
            }
            if m == "speech":
                stored |= {"there": torch.ones(14, 6, STEPS, dtype=torch.bool), "length": torch.full((14,), STEPS)}
            if m == "text":
                stored["fixed"] = label == 0
            save_file(stored, folder / f"{m}-{split}.safetensors")


@pytest.fixture(autouse=True, scope="module")
def _small():
    """Small models and few clips, so that it is the machinery that is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "VALIDATION_CLIPS", CLIPS)
        patch.setattr(robustness, "CLIPS", CLIPS)
        patch.setattr(learning_curve, "draw_curve", lambda folder: None)  # half a second each
        small = {c.name: Contender(c.name, c.build, HFFConfig(**SMALL)) for c in compare.CONTENDERS}
        patch.setattr(compare, "CONTENDERS", list(small.values()))
        whole = small["HFF"]
        parts = [
            Contender(name, config=HFFConfig(**SMALL, **{switch: False})) for name, switch in ablate.SWITCHES.items()
        ]
        patch.setattr(ablate, "ABLATIONS", [whole, *parts])
        heads = {n: Contender(f"{n} heads", config=HFFConfig(**(SMALL | {"heads": n}))) for n in ablate.HEAD_COUNTS}
        patch.setattr(ablate, "WHOLE", whole)
        patch.setattr(ablate, "WITH_HEADS", heads | {8: whole})
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """A folder in which both commands have run."""
    folder = tmp_path_factory.mktemp("run")
    make_features(folder / "features")
    for stage in SEEDS:
        assert run(stage, folder) == 0
    return folder


def run(stage: str, out: Path) -> int:
    return main([stage, "--out", str(out), "--seeds", SEEDS[stage], *BUDGET])


def tables(out: Path) -> dict[str, dict]:
    return {table["title"]: table for table in json.loads((out / "weights" / "metrics.json").read_text())["tables"]}


def test_the_real_contenders_are_every_rival_and_the_papers_models():
    assert Contender("HFF").config == HFFConfig()
    assert len(RIVALS) >= 7
    assert [c.name for c in compare.CONTENDERS] == [*CLIP_READERS, "HFF"]
    assert set(RIVALS) - set(CLIP_READERS) == {"DialogueRNN", "DialogueGCN", "COGMEN"}
    assert {c.config.heads for c in ablate.WITH_HEADS.values() if c is not ablate.WHOLE} == {4, 6, 10}


def test_compare_reports_every_model_and_condition(out):
    written = json.loads((out / "compare.json").read_text())
    assert list(written["models"]) == [*CLIP_READERS, "HFF"]
    conditions = ["clean", "mixed", *(f"{m} broken" for m in MODALITIES), *(f"{m} broken, unseen" for m in MODALITIES)]
    for model in written["models"].values():
        assert list(model["seeds"]) == ["0", "1"]
        for trial in model["seeds"].values():
            assert list(trial["test"]) == conditions
            assert trial["seconds"] > 0
    shown = tables(out)
    for place, measure in enumerate(compare.MEASURES):
        table = shown[f"HFF and its rivals on the same features: {measure}"]
        assert table["columns"] == ["model", "parameters", "seconds an epoch", *conditions]
        for row in table["rows"]:
            values = [t["test"]["clean"][place] for t in written["models"][row[0]]["seeds"].values()]
            assert row[3] == report.mean_and_deviation(values)
            assert row[3].startswith(f"{mean(values):.3f} ± ")
    assert {len(row) for table in shown.values() for row in table["rows"]} <= {len(conditions) + 3, 8, 7}
    hff = next(row for row in table["rows"] if row[0] == "HFF")
    assert hff[1] == sum(p.numel() for p in HFF(HFFConfig(**SMALL)).parameters())


def test_ablate_reports_every_part_subset_and_number_of_heads(out):
    shown = tables(out)
    for kind in ("clean", "broken"):
        table = shown[f"Parts taken away (the paper's table 4), macro F1, {kind}"]
        assert table["columns"][1:] == [
            "speech",
            "text",
            "vision",
            "speech + text",
            "speech + vision",
            "text + vision",
            "speech + text + vision",
        ]
        assert [row[0] for row in table["rows"]] == ["HFF", *ablate.SWITCHES]
    heads = shown["Number of attention heads (the paper's table 5)"]
    assert [row[0] for row in heads["rows"]] == [4, 6, 8, 10]
    whole = json.loads((out / "ablate.json").read_text())["models"]["HFF"]["seeds"].values()
    name = "broken: speech + text + vision"
    assert heads["rows"][2][-1] == report.mean_and_deviation([t["test"][name][1] for t in whole])


def test_the_whole_model_is_trained_once_for_both_commands(out):
    folders = [path.name for path in (out / "trials").iterdir()]
    assert len(folders) == 2 * (len(CLIP_READERS) + 1) + len(ablate.SWITCHES) + 3
    assert sum(name.startswith("HFF-") for name in folders) == 2


def test_figures_are_those_of_the_kept_weights(out):
    arena = Arena(out, CPU, TrainingBudget(epochs=1, batches=1, seeds=(0, 1)), EMOTIONS)
    contender = compare.CONTENDERS[0]
    trial = arena.trial(contender, 1)
    clips = training.fixed_clips(arena.split("test"), CLIPS, CLEAN, robustness.SEED)
    p = robustness.probabilities(trial.model(CPU), clips, CPU)
    assert trial.figures["test"]["clean"] == pytest.approx(robustness.accuracy(p, robustness.targets(clips)))


def test_nothing_is_done_twice_and_a_lost_trial_is_done_again(out, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in (out / "trials").rglob("trial.json")}
    figures = json.loads((out / "compare.json").read_text())["models"]
    trained = []
    fit = trials.fit
    monkeypatch.setattr(trials, "fit", lambda *a: trained.append(a[6].name) or fit(*a))
    assert run("compare", out) == 0
    assert trained == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    lost = next((out / "trials").glob("TFN-1-*"))
    (lost / "trial.json").unlink()
    assert run("compare", out) == 0
    assert trained == [lost.name]
    again = json.loads((out / "compare.json").read_text())["models"]
    assert again["TFN"]["seeds"]["1"]["test"] == figures["TFN"]["seeds"]["1"]["test"]  # the same seed, the same weights


def test_a_killed_trial_goes_on_after_its_last_epoch(out, monkeypatch, capsys):
    arena = Arena(out, CPU, TrainingBudget(epochs=2, batches=1, seeds=(5,)), EMOTIONS)
    validate, calls = training.validation, []

    def killed(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(*given)

    monkeypatch.setattr(training, "validation", killed)
    with pytest.raises(KeyboardInterrupt):
        arena.trial(compare.CONTENDERS[0], 5)
    trial = arena.trial(compare.CONTENDERS[0], 5)
    assert f"resuming {trial.folder.name} after epoch 1" in capsys.readouterr().out
    assert not (trial.folder / "last.pt").exists()


def test_all_models_of_a_seed_learn_from_the_same_batches(out, monkeypatch):
    arena, drawn = Arena(out, CPU, TrainingBudget(epochs=1, batches=2), EMOTIONS), []
    sampled = training.sampled

    def watched(*given):
        drawn.append([])
        for batch in sampled(*given):
            drawn[-1].append(batch)
            yield batch

    monkeypatch.setattr(training, "sampled", watched)
    contenders = {one.name: one for one in compare.CONTENDERS}
    for name, seed in (("late averaging", 50), ("TFN", 50), ("TFN", 51)):
        arena.trial(contenders[name], seed)
    first, second, other = drawn
    assert len(first) == len(second) == 2
    assert all(torch.equal(a.speech, b.speech) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0].target, other[0].target)


def test_other_features_or_budgets_begin_anew(tmp_path):
    make_features(tmp_path / "features")
    contender = compare.CONTENDERS[0]

    def folder(**budget) -> str:
        return Arena(tmp_path, CPU, TrainingBudget(**budget), EMOTIONS).folder_of(contender, 0).name

    names = {folder(), folder(epochs=3), folder(learning_rate=1e-3)}
    make_features(tmp_path / "features", seed=1)
    assert len(names | {folder()}) == 4


def test_missing_features_are_named(tmp_path, capsys):
    assert run("compare", tmp_path) == 1
    said = capsys.readouterr().err
    assert "speech-fusion.safetensors" in said
    assert "python -m train features" in said


def test_a_budget_of_nothing_is_refused(tmp_path, capsys):
    assert main(["ablate", "--out", str(tmp_path), "--seeds", "0", "--device", "cpu"]) == 1
    assert "--seeds must be above 0" in capsys.readouterr().err


def test_findings_say_who_leads():
    def trial(name: str, accuracy: float) -> Trial:
        return Trial(Contender(name), 0, Path(), {"test": {"clean": [accuracy, 0], "broken": [1 - accuracy, 0]}})

    said = compare.findings(
        [trial("TFN", 0.5), trial("TFN", 0.7), trial("LMF", 0.55), trial("HFF", 0.65)], ["clean", "broken"]
    )
    assert said == {
        "clean": "HFF leads: +5.0 points against TFN",
        "broken": "HFF does not lead: -10.0 points against LMF",
    }


def test_mean_and_deviation():
    assert report.mean_and_deviation([0.5]) == "0.500"
    assert report.mean_and_deviation([0.1, 0.2, 0.3]) == "0.200 ± 0.100"


def table(title: str, value: float, command: str = "python -m train other") -> dict:
    return {"title": title, "note": "n", "command": command, "columns": ["what", "value"], "rows": [["a", value]]}


def test_tables_are_merged_by_title_and_all_else_stays(tmp_path):
    path = tmp_path / "weights" / "metrics.json"
    report.add_tables(path, [table("one", 1.0)])
    report.add_tables(path, [table("two", 2.0), table("one", 3.0)])
    found = json.loads(path.read_text())
    assert [(t["title"], t["rows"][0][1]) for t in found["tables"]] == [("one", 3.0), ("two", 2.0)]
    confusion = {"title": "c", "labels": ["x"], "matrix": [[4]]}
    path.write_text(json.dumps(found | {"generated_by": "python -m train evaluate", "confusion": confusion}))
    report.add_tables(path, [table("three", 0.25)])
    found = json.loads(path.read_text())
    assert found["confusion"] == confusion
    assert len(found["tables"]) == 3
    assert "| a | 0.250 |" in path.with_name("MODEL_CARD.md").read_text()


def test_evaluate_keeps_tables_of_other_commands(tmp_path):
    from train.evaluation import evaluate

    path = tmp_path / "metrics.json"
    report.add_tables(path, [table("kept", 1.0), table("own", 1.0, robustness.COMMAND)])
    assert [t["title"] for t in evaluate.other_tables(path)] == ["kept"]


def test_a_trial_of_edited_code_is_another_trial(tmp_path, monkeypatch):
    import sys

    from train.experiments.trials import code_of

    path = tmp_path / "made_up_rival.py"
    path.write_text("def build(config):\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import made_up_rival  # ty: ignore

    first = code_of(made_up_rival.build)
    assert code_of(made_up_rival.build) == first
    path.write_text("def build(config):\n    return 2\n")
    assert code_of(made_up_rival.build) != first
    assert code_of(RIVALS["TFN"]) != code_of(RIVALS["LMF"])
    sys.modules.pop("made_up_rival")


def test_other_test_clips_are_measured_again_on_the_trained_model(out, tmp_path, monkeypatch):
    path = tmp_path / "made_up_tests.py"
    path.write_text("def clips(): return first()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import made_up_tests  # ty: ignore

    arena = Arena(out, CPU, TrainingBudget(epochs=1, batches=1, seeds=(0,)), EMOTIONS)
    made: list[str] = []
    pairs = arena.split("test")
    made_up_tests.first = lambda: made.append("made") or training.fixed_clips(pairs, CLIPS, CLEAN, 0)

    def measured(**more) -> list:
        trial = arena.trial(compare.CONTENDERS[0], 0)  # as it was kept
        arena.measure([trial], [Condition("made up", made_up_tests.clips, **more)])
        return trial.figures["test"]["made up"]

    monkeypatch.setattr(trials, "fit", None)  # nothing is trained again
    first = measured()
    assert measured() == pytest.approx(first)
    assert len(made) == 1
    path.write_text("# edited\n" + path.read_text())
    assert measured() == pytest.approx(first)
    assert len(made) == 2
    measured(keep=("text",))
    assert len(made) == 3
    monkeypatch.setattr(robustness, "CLIPS", CLIPS + 7)
    measured(keep=("text",))
    assert len(made) == 4
