"""Class-paired clips: who is paired with whom, what is corrupted or missing, and that features are looked up right.

The cached features are made so that each number tells which item, variant and step it stands for.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hff.config import EMOTIONS
from train.fusion import feature_files
from train.fusion.pairing import CLEAN, Batch, Draw, Mix, PairedClips
from train.fusion.training import fixed_clips

PER_LABEL, VARIANTS, STEPS = 4, 5, 6
ITEMS = 7 * PER_LABEL
QUIET_ITEM = 3  # a voice in which none is found any more once it is corrupted


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, only_the_papers) -> PairedClips:
    folder = tmp_path_factory.mktemp("features")
    label = torch.arange(ITEMS) % 7
    severity = torch.linspace(0, 1, VARIANTS).expand(ITEMS, -1).clone()
    item = torch.arange(ITEMS, dtype=torch.float32)[:, None]
    code = 100 * item + torch.arange(VARIANTS)  # (N,V)
    there = torch.ones(ITEMS, VARIANTS, STEPS, dtype=torch.bool)
    there[QUIET_ITEM, 1:] = False
    steps = code[..., None] + torch.arange(STEPS) / 10
    frequency = torch.tensor([0.4, 0.3, 0.2, 0.1, 0, 0, 0])

    def teacher_logits(features: torch.Tensor) -> torch.Tensor:
        return features[..., :7] + 1000

    stored = {
        "speech": {
            "features": steps[..., None].expand(-1, -1, -1, 128).clone(),
            "there": there,
            "severity": severity,
            "label": label,
            "length": 2 + torch.arange(ITEMS) % (STEPS - 1),
            "held_out": torch.arange(ITEMS) >= ITEMS // 2,
        },
        "text": {"features": code[..., None].expand(-1, -1, 768).clone()},
        "vision": {
            "features": torch.stack([code + 0.25, code + 0.75], dim=2)[..., None].expand(-1, -1, -1, 512).clone(),
            "severity": severity,
            "label": label,
            "held_out": torch.arange(ITEMS) >= 7,
        },
    }
    extra = torch.full((2, VARIANTS, 768), -1.0)  # two sentences that say nothing
    stored["text"] = {
        "features": torch.cat([stored["text"]["features"], extra]),
        "severity": torch.cat([severity, severity[:2]]),
        "label": torch.cat([label, torch.tensor([0, 0])]),
        "fixed": torch.tensor([False] * ITEMS + [True, True]),
        "held_out": torch.ones(ITEMS + 2, dtype=torch.bool),
    }
    for modality, tensors in stored.items():
        added = {"teacher_logits": teacher_logits(tensors["features"]), "frequency": frequency}
        save_file(tensors | added, folder / f"{modality}-fusion.safetensors")
    return PairedClips(folder, "fusion", EMOTIONS)


def draw(pairs: PairedClips, mix: Mix, count: int = 400, seed: int = 0) -> list[Draw]:
    rng = np.random.default_rng(seed)
    return [pairs.choose(rng, mix) for _ in range(count)]


def labels(pairs: PairedClips, choice: Draw) -> list[int]:
    return [int(pairs.stored[m]["label"][i]) for m, i in zip(("speech", "text", "vision"), choice.items, strict=True)]


def test_clean_clips_agree_and_are_whole(pairs):
    choices = draw(pairs, CLEAN)
    for choice in choices:
        assert labels(pairs, choice) == [choice.target] * 3
        assert choice.present.all()
        assert not choice.variants.any()
        assert len(choice.present) == pairs.stored["speech"]["length"][choice.items[0]]
    assert set(Counter(choice.target for choice in choices)) == set(range(7))
    assert len({choice.items for choice in choices}) > 100


def test_conflict_turns_one_modality_only(pairs):
    differing = Counter()
    for choice in draw(pairs, replace(CLEAN, conflict=1)):
        wrong = [m for m, label in enumerate(labels(pairs, choice)) if label != choice.target]
        assert len(wrong) <= 1
        differing.update(wrong or ["none"])  # the other emotion may be drawn as the same
    assert all(differing[m] > 70 for m in range(3))


def test_a_contradiction_has_two_sides_and_no_truth(pairs):
    """Of every pair of modalities; the third is absent, on one side, or of an emotion of its own."""
    choices = draw(pairs, replace(CLEAN, contradiction=1))
    there = Counter()
    for choice in choices:
        assert choice.contradicts
        own, present = labels(pairs, choice), choice.present[0]
        there[tuple(present)] += 1
        assert len({label for label, has in zip(own, present, strict=True) if has}) >= 2
        assert choice.target in own
    assert all(there[pair] > 30 for pair in ((True, True, False), (True, False, True), (False, True, True)))
    assert there[True, True, True] > 80
    batch = pairs.collate(choices[:20], np.random.default_rng(0))
    assert batch.contradicts.all()
    assert batch.own.tolist() == [labels(pairs, choice) for choice in choices[:20]]
    assert not pairs.collate(draw(pairs, CLEAN, 5), np.random.default_rng(0)).contradicts.any()
    assert not any(
        choice.contradicts for choice in (pairs.choose(np.random.default_rng(n), Mix(), label=n % 7) for n in range(50))
    )


def test_partners_that_say_nothing_are_neutral(pairs):
    fixed = 0
    for choice in draw(pairs, replace(CLEAN, unfeeling_text=1)):
        assert labels(pairs, choice) == [choice.target, 0, choice.target]
        fixed += choice.items[1] >= ITEMS
    assert 150 < fixed < 260  # about half: three in ten on purpose, and as two of six neutral texts
    for choice in draw(pairs, replace(CLEAN, unfeeling_voice=1, unfeeling_face=1), 50):
        assert labels(pairs, choice) == [0, choice.target, 0]


def test_dropped_modalities_leave_at_least_one(pairs):
    choices = draw(pairs, replace(CLEAN, dropped=0.9))
    assert all(choice.present.any(1).all() for choice in choices)
    kinds = Counter(tuple(choice.present[0]) for choice in choices)
    assert len(kinds) >= 6
    assert kinds[True, True, True] < 10
    assert any(len(choice.present) == 1 for choice in choices)  # a typed sentence or a picture alone


def test_gaps_take_the_face_from_some_steps(pairs):
    grids = [choice.present for choice in draw(pairs, replace(CLEAN, gaps=0.3))]
    assert all(grid[:, :2].all() for grid in grids)
    assert 0.2 < 1 - np.concatenate([grid[:, 2] for grid in grids]).mean() < 0.4


def test_corruption_begins_at_once_or_later_and_then_stays(pairs):
    whole = draw(pairs, replace(CLEAN, corrupted=1))
    assert all((choice.variants[0] > 0).all() and (choice.variants == choice.variants[0]).all() for choice in whole)
    begins_later = 0
    for choice in draw(pairs, replace(CLEAN, corrupted=1, partial=1)):
        for column in choice.variants.T:
            changed = np.flatnonzero(np.diff(column))
            assert len(changed) <= 1
            assert len(set(column[column > 0])) <= 1
            begins_later += len(changed) == 1 and column[0] == 0
    assert begins_later > 100
    share = np.mean([choice.variants[0] > 0 for choice in draw(pairs, replace(CLEAN, corrupted=0.5))])
    assert 0.4 < share < 0.6


def test_items_the_encoder_did_not_learn_from(pairs):
    for share, expected in ((1, True), (0, False)):
        choices = draw(pairs, replace(CLEAN, held_out=share))
        for m, modality in ((0, "speech"), (2, "vision")):
            assert {bool(pairs.stored[modality]["held_out"][choice.items[m]]) for choice in choices} == {expected}
        assert all(pairs.stored["text"]["held_out"][choice.items[1]] for choice in choices)  # there are no others


def test_clips_of_one_modality_have_labels_as_frequent_as_in_their_corpora(pairs):
    choices = draw(pairs, replace(CLEAN, alone=1), 900)
    kinds = Counter(tuple(choice.present[0]) for choice in choices)
    assert set(kinds) == {(True, False, False), (False, True, False), (False, False, True)}
    assert min(kinds.values()) > 240
    for choice in choices:
        assert (choice.present == choice.present[0]).all()
        assert labels(pairs, choice)[int(choice.present[0].argmax())] == choice.target
    counts = Counter(choice.target for choice in choices)
    assert [counts[label] / 900 for label in range(7)] == pytest.approx([0.4, 0.3, 0.2, 0.1, 0, 0, 0], abs=0.05)
    assert all(
        choice.present.all()
        for choice in [pairs.choose(np.random.default_rng(n), replace(CLEAN, alone=1), 3) for n in range(5)]
    )


def test_an_augmented_clip_is_the_same_clip_at_another_severity(pairs):
    rng = np.random.default_rng(0)
    choices = draw(pairs, Mix(), 60)
    augmented = [pairs.augmented(choice, rng) for choice in choices]
    for choice, again in zip(choices, augmented, strict=True):
        assert again.items == choice.items
        assert again.target == choice.target
        assert np.array_equal(again.present, choice.present)
        assert (again.variants == again.variants[0]).all()
        assert again.variants.max() < VARIANTS
    drawn = np.array([again.variants[0] for again in augmented])
    assert all(len(set(column)) == VARIANTS for column in drawn.T)
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])  # each modality at its own


def test_features_are_those_of_the_items_and_variants_chosen(pairs):
    choices = draw(pairs, replace(Mix(), dropped=0.1), 60)
    batch = pairs.collate(choices, np.random.default_rng(1))
    longest = max(len(choice.present) for choice in choices)
    assert batch.speech.shape == (60, longest, 128)
    assert (batch.text.shape, batch.vision.shape) == ((60, longest, 768), (60, longest, 512))
    for b, choice in enumerate(choices):
        voice, words, face = choice.items
        assert batch.target[b] == choice.target
        for t in range(longest):
            if t >= len(choice.present):  # padding
                assert not batch.present[b, t].any()
                assert not batch.severity[b, t].any()
                continue
            v = choice.variants[t]
            assert batch.speech[b, t, 0].item() == pytest.approx(100 * voice + v[0] + t / 10, rel=1e-6)
            assert batch.text[b, t, 5].item() == (100 * words + v[1] if words < ITEMS else -1)
            assert batch.vision[b, t, 7].item() - 100 * face - v[2] in (0.25, 0.75)
            expected = [float(x[b, t, 2]) + 1000 for x in (batch.speech, batch.text, batch.vision)]
            assert batch.teacher_logits[b, t, :, 2].tolist() == pytest.approx(expected)
            assert batch.severity[b, t].tolist() == pytest.approx((v / (VARIANTS - 1)).tolist())
            if voice != QUIET_ITEM:
                assert batch.present[b, t].tolist() == choice.present[t].tolist()
    faces = batch.vision[..., 0][batch.present[..., 2]] % 1
    assert set(faces.tolist()) == {0.25, 0.75}  # both views of a face occur


def test_a_voice_lost_in_noise_is_absent(pairs):
    def clip(variant: int, present: list[bool]) -> Batch:
        choice = Draw((QUIET_ITEM, 1, 2), np.full((2, 3), variant), np.array([present] * 2), 3)
        return pairs.collate([choice], np.random.default_rng(0))

    assert clip(0, [True, True, True]).present.all()
    assert clip(2, [True, True, True]).present[0].tolist() == [[False, True, True]] * 2
    # Alone, there would be nothing left: the words stand in.
    assert clip(2, [True, False, False]).present[0].tolist() == [[False, True, False]] * 2


def test_fixed_clips_are_the_same_each_time_and_balanced(pairs):
    first, second, other = (fixed_clips(pairs, 140, Mix(), seed) for seed in (5, 5, 6))
    assert [len(batch.target) for batch in first] == [100, 40]
    for a, b in zip(first, second, strict=True):
        for name, value in vars(a).items():
            same = torch.equal if isinstance(value, torch.Tensor) else operator.eq
            assert same(value, getattr(b, name)), name
    assert not torch.equal(first[0].target, torch.zeros(100))
    assert any(
        a.text.shape != b.text.shape or not torch.equal(a.text, b.text) for a, b in zip(first, other, strict=True)
    )
    counts = Counter(torch.cat([batch.target for batch in first]).tolist())
    assert counts == dict.fromkeys(range(7), 20)


def test_files_that_were_made_before_a_part_was_renamed_are_read(tmp_path):
    stored = {"features": torch.zeros(1, 3).half(), "said": torch.ones(1, 7).half()}
    save_file(stored, tmp_path / "text-fusion.safetensors")
    assert feature_files.load(tmp_path, "text", "fusion")["teacher_logits"].tolist() == [[1.0] * 7]
