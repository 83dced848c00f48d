"""CONTRIBUTING.md's recipes, followed as they stand there, each in a place of its own that is gone afterwards."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from hff import corruption, locale, modalities
from hff.config import HFFConfig
from hff.lab import corrupted_material
from hff.lab.lesson_files import load_lessons
from hff.lab.state import LabState
from hff.locale import catalogue, say, texts, translate, using
from tests.support.model_fixtures import random_clips, small_config
from tests.support.translations import untranslated
from tests.train.rivals import test_rivals
from train import corpora, rivals
from train.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


NOBODYS = "qq"  # a language that nobody adds

# What every shipped rival is held to.
CHECKS_OF_A_RIVAL = (
    test_rivals.test_any_labels_and_sizes,
    test_rivals.test_sizes_at_the_papers_features_are_of_hffs_order,
    test_rivals.test_gradient_reaches_every_parameter_and_junk_spoils_none,
    test_rivals.test_learns_what_no_modality_alone_tells,
)
CHECKS_OF_A_SMALL_RIVAL = (
    test_rivals.test_content_of_absent_modalities_changes_nothing,
    test_rivals.test_padding_changes_nothing,
    test_rivals.test_a_clip_reads_the_same_in_any_company,
    test_rivals.test_every_present_modality_is_heard,
)


def recipe(name: str) -> str:
    """The code under ``<!-- recipe: name -->``."""
    (code,) = re.findall(rf"<!-- recipe: {name} -->\n```\w+\n(.*?)```", GUIDE, re.S)
    return code


def module(name: str, code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """``code`` as a module of its own, written to ``folder`` and imported from there."""
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name)


def test_every_recipe_is_followed_here():
    told = set(re.findall(r"<!-- recipe: ([\w ]+) -->", GUIDE))
    assert told == set(re.findall(r'recipe\("([\w ]+)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert re.findall(r"^## Add an? (\w+)", GUIDE, re.M) == [
        "corruption",
        "modality",
        "lesson",
        "rival",
        "corpus",
        "language",
    ]


def test_a_recipe_takes_a_few_steps():
    for section in re.split(r"^## Add ", GUIDE, flags=re.M)[1:]:
        steps = re.findall(r"^\d\. ", section, re.M)
        assert 2 <= len(steps) <= 5, section.splitlines()[0]


def test_a_corruption():
    code = recipe("corruption").replace("fog", "toy_fog")  # somebody may have added the example itself
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(corruption))
    try:
        assert "toy_fog" in [kind.name for kind in corruption.kinds("vision")]
        assert "toy_fog" not in corruption.trained("vision")
        assert "toy_fog" in corrupted_material.KINDS["vision"]
        state = LabState.from_dict({"source": "mixed", "damage": {"vision": {"kind": "toy_fog", "severity": 0.5}}})
        assert state.corruption["vision"].kind == "toy_fog"
        face = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
        fog = corruption.kind("vision", "toy_fog").apply
        np.testing.assert_array_equal(fog(face, 0.0, np.random.default_rng(0)), face)
        assert fog(face, 1.0, np.random.default_rng(0)).std() < 0.06 * face.std()
    finally:
        corruption.forget("vision", "toy_fog")
        del corruption.toy_fog


def test_a_modality(monkeypatch: pytest.MonkeyPatch):
    made = []
    code = recipe("modality").replace('"pulse"', '"toy_pulse"')  # somebody may have added the example itself
    exec(code, {"Modality": modalities.Modality, "register": made.append})
    (pulse,) = made
    encoder = types.ModuleType("hff.encoders.pulse")
    encoder.PulseEncoder = type("PulseEncoder", (torch.nn.Identity,), {})
    monkeypatch.setitem(sys.modules, "hff.encoders.pulse", encoder)
    before = tuple(modalities.MODALITIES)
    with modalities.registered(pulse):
        assert (*before, "toy_pulse") == modalities.MODALITIES
        assert pulse.encoder() is encoder.PulseEncoder
        assert HFFConfig().input_dims[-1] == 16
        assert pulse.name == "Heartbeat"
    assert before == modalities.MODALITIES


def test_a_lesson(tmp_path: Path):
    example = re.search(r"## Write one\n+```json\n(.*?)```", (ROOT / "docs/lessons.md").read_text("utf-8"), re.S)[1]
    for language, text in (("en", example), ("de", recipe("lesson translation"))):
        (tmp_path / language).mkdir()
        (tmp_path / language / "far_away.json").write_text(text, encoding="utf-8")
    (english,) = load_lessons(tmp_path / "en")
    with using("de"):
        (german,) = load_lessons(tmp_path / "en")
    assert english.title == json.loads(example)["title"]
    assert german.title == "Weit weg"
    assert [choice.text for choice in german.choices] == ["Es steigt", "Es bleibt", "Es fällt"]
    assert german.state == english.state


def test_a_rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    vote = module("soft_vote", recipe("rival"), tmp_path, monkeypatch).SoftVote
    monkeypatch.setitem(rivals.RIVALS, "soft vote", vote)
    for check in CHECKS_OF_A_RIVAL:
        check("soft vote")
    small = {"soft vote": test_rivals.rival("soft vote").requires_grad_(False)}
    for check in CHECKS_OF_A_SMALL_RIVAL:
        check(small, "soft vote")
    config = small_config()
    torch.manual_seed(0)
    model = rivals.RIVALS["soft vote"](config)
    clips = random_clips(config, 4, 5)
    output = model(**clips)
    torch.testing.assert_close(output.probabilities.sum(-1), torch.ones(4))
    clips["present"][..., 0] = False
    heard, deaf = (model(**(clips | {"speech": clips["speech"] + shift})).logits for shift in (0.0, 3.0))
    torch.testing.assert_close(heard, deaf)  # what is absent changes nothing
    loss = rivals.rival_loss(output, torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert all(head.weight.grad.abs().sum() > 0 for head in model.heads)


def test_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    diary = module("diary", recipe("corpus"), tmp_path, monkeypatch)
    monkeypatch.setitem(corpora.ALL, "Diary", diary)
    (tmp_path / "text").mkdir()
    table = tmp_path / "text/diary.csv"
    table.write_text("text,feeling\nThe sun came out.,glad\nIt rained all day.,down\n", encoding="utf-8")
    assert main(["data", "--list", "--data", str(tmp_path)]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Diary")]
    for part in ("2 items", diary.LICENCE, diary.SOURCE):
        assert part in row
    table.write_text("text,feeling\nWell.,so-so\n", encoding="utf-8")
    with pytest.raises(corpora.base.CorpusError, match="'so-so'"):
        diary.load(tmp_path)


def test_a_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Path(locale.__file__).parent
    before = locale.languages()
    for code in before:
        shutil.copytree(folder / code, tmp_path / code)
    shutil.copytree(tmp_path / "en", tmp_path / NOBODYS)
    lab = tmp_path / NOBODYS / "lab.json"
    lab.write_text(json.dumps(json.loads(lab.read_text("utf-8")) | {"TAB_LAB": "Labo des poids"}), encoding="utf-8")
    caches = (catalogue.languages, catalogue.catalogue)
    try:
        with monkeypatch.context() as changes:
            changes.setattr(catalogue, "LOCALE_FOLDER", tmp_path)
            for cache in caches:
                cache.cache_clear()
            assert set(locale.languages()) == {*before, NOBODYS}
            with using(NOBODYS):
                assert texts.TAB_LAB == "Labo des poids"
                assert translate(say("LESSON_RIGHT", choice="oui")) == "Right: oui."  # what is not translated yet
                assert locale.number_format.percentage(0.845, 1, "fr") == "84,5\u00a0%"
            left = untranslated(NOBODYS)
            assert "LESSON_RIGHT" in left
            assert "TAB_LAB" not in left
    finally:
        for cache in caches:
            cache.cache_clear()
    assert locale.languages() == before
