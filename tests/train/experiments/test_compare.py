"""``compare`` and ``ablate`` from cached features to tables, on tiny made features; search; resuming; merging."""

from __future__ import annotations

import dataclasses
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
from train.engine.memory import training_bytes
from train.evaluation import intervals, robustness
from train.evaluation import tables as report
from train.experiments import ablate, compare, terms, trials
from train.experiments.settings import Setting, settings
from train.experiments.terms import TrainingBudget
from train.experiments.trials import Arena, Condition, Contender
from train.fusion import feature_files, training
from train.fusion.pairing import CLEAN
from train.rivals import RIVALS

MODELS = ["concatenation", "late averaging", "TFN", "HFF"]  # enough for the machinery
CLIPS, STEPS = 28, 3  # a clip without a voice has up to three steps
CPU = torch.device("cpu")
BUDGET = ["--epochs", "1", "--batches", "1", "--device", "cpu"]
ASKED = {"compare": ["--seeds", "2", "--tries", "2"], "ablate": ["--seeds", "1"]}
SMALL = {"layers": 1, "heads": 2}
NARROW = Setting(width=16)


def make_features(folder: Path, seed: int = 0) -> None:
    """Items of every split in the layout of ``feature_files``; a label shows in the features, corruption hides it."""
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


REAL = list(compare.CONTENDERS)


def test_the_real_contenders_are_every_rival_of_clips_and_the_papers_models():
    assert Contender("HFF").sized == HFFConfig()
    assert [c.name for c in REAL] == [*(name for name, build in RIVALS.items() if not build.conversational), "HFF"]
    assert set(RIVALS) - {c.name for c in REAL} == {"DialogueRNN", "DialogueGCN", "COGMEN"}
    assert {c.config.heads for c in ablate.WITH_HEADS.values() if c is not ablate.WHOLE} == {4, 6, 10}


@pytest.fixture(autouse=True, scope="module")
def _small():
    """Small models and few clips, so that it is the machinery that is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "VALIDATION_CLIPS", CLIPS)
        patch.setattr(robustness, "CLIPS", CLIPS)
        patch.setattr(learning_curve, "draw_curve", lambda folder: None)  # half a second each
        patch.setattr(intervals, "RESAMPLES", 100)
        small = {
            c.name: Contender(c.name, c.build, HFFConfig(**SMALL), NARROW)
            for c in compare.CONTENDERS
            if c.name in MODELS
        }
        patch.setattr(compare, "CONTENDERS", list(small.values()))
        whole = small["HFF"]
        parts = [
            Contender(name, config=HFFConfig(**SMALL, **{switch: False}), setting=NARROW)
            for name, switch in ablate.SWITCHES.items()
        ]
        patch.setattr(ablate, "ABLATIONS", [whole, *parts])
        heads = {
            n: Contender(f"{n} heads", config=HFFConfig(**(SMALL | {"heads": n})), setting=NARROW)
            for n in ablate.HEAD_COUNTS
        }
        patch.setattr(ablate, "WHOLE", whole)
        patch.setattr(ablate, "WITH_HEADS", heads | {8: whole})
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """A folder in which both commands have run."""
    folder = tmp_path_factory.mktemp("run")
    make_features(folder / "features")
    for stage in ASKED:
        assert run(stage, folder) == 0
    return folder


def run(stage: str, out: Path) -> int:
    return main([stage, "--out", str(out), *ASKED[stage], *BUDGET])


def tables(out: Path) -> dict[str, dict]:
    return {table["title"]: table for table in json.loads((out / "weights" / "metrics.json").read_text())["tables"]}


def test_compare_reports_every_model_and_condition(out):
    written = json.loads((out / "compare.json").read_text())
    assert list(written["models"]) == MODELS
    conditions = ["clean", "mixed", *(f"{m} broken" for m in MODALITIES), *(f"{m} broken, unseen" for m in MODALITIES)]
    for model in written["models"].values():
        assert list(model["seeds"]) == ["0", "1"]
        for trial in model["seeds"].values():
            assert list(trial["test"]) == conditions
            assert trial["seconds"] > 0
    shown = tables(out)
    for measure in trials.MEASURES:
        table = shown[f"{compare.TITLE}: {measure}"]
        assert table["columns"] == ["model", "parameters", "memory, MB", "seconds an epoch", *conditions]
        for row in table["rows"]:
            values = [t["test"]["clean"][measure][0] for t in written["models"][row[0]]["seeds"].values()]
            assert row[4] == report.mean_and_deviation(values)
            assert row[4].startswith(f"{mean(values):.3f} ± ")
            model = written["models"][row[0]]
            built = {**RIVALS, "HFF": HFF}[row[0]](HFFConfig.from_dict(model["config"]))
            assert row[1] == sum(p.numel() for p in built.parameters())
            assert row[2] == round(model["seeds"]["0"]["bytes"] / 1e6)


def test_what_is_said_of_a_difference_follows_its_interval(out):
    written = json.loads((out / "compare.json").read_text())
    table = tables(out)[f"{compare.TITLE}: HFF's accuracy over each rival's"]
    assert table["columns"][1:] == [*written["findings"]]
    assert table["columns"][-1] == compare.ALL_BROKEN
    for rival, *cells in table["rows"]:
        for title, cell in zip(table["columns"][1:], cells, strict=True):
            found = written["differences"][rival][title]
            verdict = "ahead" if found["low"] > 0 else "behind" if found["high"] < 0 else "no difference seen"
            assert cell.endswith(f": {verdict}")
            assert cell.startswith(f"{100 * found['mean']:+.1f} ({100 * found['low']:+.1f} to ")
    means = {
        n: mean(t["test"]["clean"]["accuracy"][0] for t in m["seeds"].values()) for n, m in written["models"].items()
    }
    best = max((name for name in means if name != "HFF"), key=means.__getitem__)
    assert means[best] - means["HFF"] == pytest.approx(-written["differences"][best]["clean"]["mean"])
    assert f"{best}, " in written["findings"]["clean"] or len(set(means.values())) < len(means)
    assert all(f"{title}: {what}" in table["note"] for title, what in written["findings"].items())


def test_notes_and_commands_say_what_was_asked_for(out):
    for title, table in tables(out).items():
        made = "compare" if title.startswith(compare.TITLE) else "ablate"
        assert table["command"] == f"python -m train {made} --data DIR --out DIR --epochs 1 --batches 1 " + " ".join(
            ASKED[made]
        )
        assert "1 epochs of 1 batches" in table["note"]
        assert ("2 seeds" in table["note"]) == (made == "compare")
        assert ("Each model's own of the same 2 settings" in table["note"]) == (made == "compare")
        assert f"{CLIPS}" in table["note"]


def test_every_model_gets_the_best_of_the_same_settings_by_validation(out):
    written = json.loads((out / "compare.json").read_text())
    wanted = settings(NARROW, 2)
    for name, tried in written["tried"].items():
        found = [Setting(one["learning_rate"], one["width"], one["dropout"]) for one in tried]
        assert sorted(map(str, found)) == sorted(map(str, wanted))
        assert tried[0]["score"] == max(one["score"] for one in tried)
        assert written["models"][name]["setting"] == {k: v for k, v in tried[0].items() if k != "score"}
    shown = tables(out)[f"{compare.TITLE}: settings"]
    assert [row[0] for row in shown["rows"]] == MODELS


def test_settings_are_drawn_once_and_begin_with_the_usual_one():
    usual = Setting()
    few, many = settings(usual, 4), settings(usual, 27)
    assert few == many[:4]
    assert few[0] == usual
    assert len(set(many)) == 27
    config = Setting(1e-3, 24, 0.3).config(HFFConfig())
    assert (config.d_model, config.dropout, config.classifier_dropout) == (24, 0.3, 0.5)


def test_no_model_is_told_of_corruption_teachers_or_single_labels(out):
    """Batches that differ in nothing else give the same loss, of HFF too."""
    arena = Arena(out, CPU, TrainingBudget(epochs=1, batches=1), EMOTIONS)
    contenders = {one.name: one for one in compare.CONTENDERS}
    assert arena.mix.contradiction == 0
    for name in ("HFF", "TFN"):
        (batch,) = arena.batches(contenders[name], 0, 0, [])
        torch.manual_seed(0)
        model = contenders[name].build(contenders[name].sized).train()
        told = dataclasses.replace(
            batch,
            severity=torch.rand_like(batch.severity),
            teacher_logits=torch.randn_like(batch.teacher_logits),
            own=batch.own.flip(0),
            augmented=0,
        )
        losses = []
        for one in (batch, told):
            torch.manual_seed(1)
            losses.append(float(terms.loss(model, one).detach()))
        assert losses[0] == losses[1]


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
    models = json.loads((out / "ablate.json").read_text())["models"]
    name = "broken: speech + text + vision"
    values = [t["test"][name]["macro F1"][0] for t in models["HFF"]["seeds"].values()]
    assert heads["rows"][2][6] == report.mean_and_deviation(values)
    assert heads["rows"][2][-2:] == [None, None]
    changed = shown["Parts taken away: what becomes of the macro F1, broken"]
    assert [row[0] for row in changed["rows"]] == [*ablate.SWITCHES]
    for row in changed["rows"]:
        lost = mean(t["test"][name]["macro F1"][0] for t in models[row[0]]["seeds"].values()) - mean(values)
        assert row[-1].startswith(f"{100 * lost:+.1f} (")


def test_the_whole_model_is_trained_once_for_both_commands(out):
    folders = [path.name for path in (out / "trials").iterdir()]
    # Two tries and another seed for each; the ablated ones and three numbers of heads. The whole model may be there.
    own = 3 * len(MODELS) + len(ablate.SWITCHES) + 3
    assert len(folders) in (own, own + 1)
    assert sum(name.startswith("HFF-0") for name in folders) == 2


def test_figures_are_those_of_the_kept_weights(out):
    arena = Arena(out, CPU, TrainingBudget(epochs=1, batches=1, seeds=(0, 1)), EMOTIONS)
    trial = arena.tuned(compare.CONTENDERS[:1], 2)[compare.CONTENDERS[0].name][0]
    clips = training.fixed_clips(arena.split("test"), CLIPS, CLEAN, robustness.SEED)
    p = robustness.probabilities(trial.model(CPU), clips, CPU)
    found = trials.measured([trial], "clean", 7)
    assert (found["accuracy"][0], found["macro F1"][0]) == pytest.approx(
        robustness.accuracy_and_f1(p, robustness.targets(clips))
    )


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
    (lost / trials.ANSWERS_FILE).unlink()
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
    first, second, other = (one for one in drawn if len(one) == 2)  # besides the one by which memory is measured
    assert all(torch.equal(a.speech, b.speech) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0].target, other[0].target)


def test_other_features_or_budgets_begin_anew(tmp_path):
    make_features(tmp_path / "features")
    contender = compare.CONTENDERS[0]

    def folder(setting: Setting = NARROW, **budget) -> str:
        one = dataclasses.replace(contender, setting=setting)
        return Arena(tmp_path, CPU, TrainingBudget(**budget), EMOTIONS).folder_of(one, 0).name

    names = {folder(), folder(epochs=3), folder(Setting(1e-3, 16)), folder(Setting(width=8)), folder(batches=3)}
    make_features(tmp_path / "features", seed=1)
    assert len(names | {folder()}) == 6


def test_trials_in_several_processes_are_those_of_one(tmp_path):
    make_features(tmp_path / "features")
    budget = TrainingBudget(epochs=1, batches=1, seeds=(0, 1))
    contender = compare.CONTENDERS[0]
    together = Arena(tmp_path, CPU, budget, EMOTIONS, processes=2).trials([contender])
    kept = [trial.model(CPU).state_dict() for trial in together]
    for trial in together:
        (trial.folder / "trial.json").unlink()
    for state, alone in zip(kept, Arena(tmp_path, CPU, budget, EMOTIONS).trials([contender]), strict=True):
        for name, value in alone.model(CPU).state_dict().items():
            torch.testing.assert_close(state[name], value, msg=name)


def test_missing_features_are_named(tmp_path, capsys):
    assert run("compare", tmp_path) == 1
    said = capsys.readouterr().err
    assert "speech-fusion.safetensors" in said
    assert "python -m train features" in said


def test_a_budget_of_nothing_is_refused(tmp_path, capsys):
    assert main(["ablate", "--out", str(tmp_path), "--seeds", "0", "--device", "cpu"]) == 1
    assert "--seeds must be above 0" in capsys.readouterr().err


def test_memory_counts_weights_and_what_the_gradient_needs():
    layer = torch.nn.Linear(10, 20, bias=False)
    x = torch.randn(30, 10)
    # Four times the weights; the input, and the square's own input.
    assert training_bytes(layer, lambda: layer(x).square().sum()) == 4 * (4 * 200 + 300 + 600)


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
        arena.test([trial], [Condition("made up", made_up_tests.clips, **more)])
        return trial.answers()["made up"].tolist()

    monkeypatch.setattr(trials, "fit", None)  # nothing is trained again
    first = measured()
    assert measured() == first
    assert len(made) == 1
    path.write_text("# edited\n" + path.read_text())
    assert measured() == first
    assert len(made) == 2
    measured(keep=("text",))
    assert len(made) == 3
    monkeypatch.setattr(robustness, "CLIPS", CLIPS + 7)
    measured(keep=("text",))
    assert len(made) == 4
