"""Accuracy, recall, confusions and calibration of readings with known labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hff.config import EMOTIONS
from hff.corpus.scores import scores, scores_as_text
from train.metrics import expected_calibration_error


def row(label: str | None, **said: tuple[str, float]) -> dict:
    return {
        "file": "a",
        "label": label,
        "subset_emotions": {name.replace("_and_", "+"): list(x) for name, x in said.items()},
    }


def test_each_subset_counts_where_it_was_there():
    rows = [
        row("happy", speech=("sad", 0.6), speech_and_text=("happy", 0.9)),
        row("happy", speech=("happy", 0.7)),
        row("sad", speech=("sad", 0.5), speech_and_text=("sad", 0.8)),
        row("joyous", speech=("sad", 0.5)),
        row(None, speech=("sad", 0.5)),
        {"file": "b", "label": "sad", "error": "broken"},
    ]
    found, unknown = scores(rows, EMOTIONS)
    assert unknown == 1
    assert list(found) == ["all", "speech", "speech+text"]
    assert [found[name].clips for name in found] == [3, 3, 2]
    assert found["speech"].accuracy == pytest.approx(2 / 3)
    assert found["speech"].mean_recall == pytest.approx((1 / 2 + 1) / 2)
    assert found["all"].accuracy == 1  # of each clip all that was there
    assert found["speech"].confusion[EMOTIONS.index("happy"), EMOTIONS.index("sad")] == 1
    said = scores_as_text(found, unknown)
    assert "1 clips have a label" in said
    assert "speech+text" in said


def test_flat_rows_of_a_table_count_alike():
    nested = [row("happy", speech=("sad", 0.6)), row("sad", speech=("sad", 0.7))]
    flat = [
        {"label": r["label"], "said_speech": s, "sure_speech": str(p)}
        for r in nested
        for s, p in r["subset_emotions"].values()
    ]
    one, two = (scores(rows, EMOTIONS)[0]["all"] for rows in (nested, flat))
    assert (one.confusion == two.confusion).all()
    assert one.calibration_error == two.calibration_error


def test_the_calibration_error_is_that_of_the_training():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(7, 0.5), 400)
    target = rng.integers(0, 7, 400)
    rows = [row(EMOTIONS[t], text=(EMOTIONS[q.argmax()], q.max())) for q, t in zip(p, target, strict=True)]
    ours = scores(rows, EMOTIONS)[0]["text"].calibration_error
    assert ours == pytest.approx(expected_calibration_error(torch.from_numpy(p), torch.from_numpy(target)), abs=1e-6)


def test_nothing_to_count_is_said():
    assert "No reading" in scores_as_text(*scores([row("joyous", text=("sad", 0.5))], EMOTIONS))
