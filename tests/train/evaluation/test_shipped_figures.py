"""The shipped weights are those whose figures are shipped, and the card says what was measured."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from hff.config import EMOTIONS, MODALITIES
from train.corpora import ALL
from train.evaluation import fingerprint, model_card

WEIGHTS = Path(__file__).resolve().parents[3] / "weights"
TOLERANCE = 5e-3  # other processors round in another way
AGAIN = "the weights changed: run python -m train fingerprint --out ."


@pytest.fixture(scope="module")
def stored() -> dict:
    return json.loads((WEIGHTS / "fingerprint.json").read_text())


@pytest.fixture(scope="module")
def measured() -> dict:
    return fingerprint.measure(WEIGHTS, torch.device("cpu"))


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads((WEIGHTS / "metrics.json").read_text())


def test_the_weights_are_those_that_were_measured(stored, measured):
    assert measured["weights"] == stored["weights"], AGAIN
    assert hashlib.sha256((WEIGHTS / "metrics.json").read_bytes()).hexdigest() == stored["metrics"], AGAIN
    assert stored["labels"] == list(EMOTIONS)


def test_they_answer_as_they_did(stored, measured):
    assert measured["answers"].keys() == stored["answers"].keys()
    for encoder, before in stored["answers"].items():
        assert len(before) == len(fingerprint.MADE_UP_SENTENCES)
        for was, now in zip(before, measured["answers"][encoder], strict=True):
            assert was.keys() == now.keys()
            for name, values in was.items():
                np.testing.assert_allclose(now[name], values, atol=TOLERANCE, err_msg=f"{encoder} {name}")


def test_the_answers_tell_something(stored):
    """Made-up inputs that all get the same answer would prove nothing."""
    for answers in stored["answers"].values():
        for name in (*MODALITIES, "fusion"):
            probabilities = np.array([each[name] for each in answers])
            np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-3)
            assert probabilities.std(0).max() > 10 * TOLERANCE
        np.testing.assert_allclose(np.sum([each["alpha"] for each in answers], 1), 1, atol=1e-3)
        assert (np.array([each["variance"] for each in answers]) > 0).all()


def test_other_weights_answer_otherwise(measured, monkeypatch):
    model = fingerprint.analyzer.Analyzer("cpu", WEIGHTS, "mfcc-cnn")
    with torch.no_grad():
        model.model.classifier.out.bias[0] += 1
    changed = fingerprint.fingerprint_answers(model.encoders, model.model, fingerprint.clips()[0])
    was = measured["answers"]["speech"][0]
    assert changed["speech"] == pytest.approx(was["speech"], abs=TOLERANCE)
    assert np.abs(np.subtract(changed["fusion"], was["fusion"])).max() > TOLERANCE


def test_metrics_hold_what_the_page_and_the_card_read(metrics):
    assert metrics["generated_by"].startswith("python -m train")
    titles = [table["title"] for table in metrics["tables"]]
    assert len(titles) == len(set(titles))
    for table in metrics["tables"]:
        assert table.keys() >= {"title", "note", "command", "columns", "rows"}
        assert table["rows"]
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    matrix = np.array(metrics["confusion"]["matrix"])
    assert metrics["confusion"]["labels"] == list(EMOTIONS)
    assert matrix.shape == (len(EMOTIONS),) * 2
    assert all(len(bin_) == 3 and 0 <= bin_[1] <= 1 for bin_ in metrics["reliability"]["bins"])


def sections() -> dict[str, list[str]]:
    """Heading -> the rows of the tables under it, of the card's part with figures."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (WEIGHTS / "MODEL_CARD.md").read_text().split("\n## Figures\n")[1].splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            found.setdefault(heading, []).append(line)
    return found


def test_the_card_is_written_from_labels_corpora_and_figures(metrics, tmp_path):
    model_card.write(metrics, tmp_path / "MODEL_CARD.md")
    assert (tmp_path / "MODEL_CARD.md").read_text() == (WEIGHTS / "MODEL_CARD.md").read_text()
    own = metrics | {"confusion": {"title": "c", "labels": ["calm", "bored", "proud"], "matrix": [[1] * 3] * 3}}
    model_card.write(own, tmp_path / "MODEL_CARD.md")
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert text.split("\n---\n\n")[1].startswith(
        "# Model card: HFF, three emotions\n\nReads calm, bored or proud from voice"
    )
    assert "seven emotions" not in text


def test_the_card_tells_the_hub_what_it_asks_for(metrics):
    """In its own words: a licence, a task and metrics by the names that the Hub has for them."""
    data = ModelCard.load(WEIGHTS / "MODEL_CARD.md").data
    assert (data.license, data.language, data.library_name) == ("cc-by-nc-sa-4.0", ["en"], "hff")
    assert data.pipeline_tag == "video-classification"
    assert {"emotion-recognition", "multimodal"} <= set(data.tags)
    assert data.datasets == [corpus.HUB for corpus in ALL.values() if corpus.PARTS and hasattr(corpus, "HUB")]
    told = str(metrics["tables"]).lower()
    assert all(name.replace("_score", "") in told for name in data.metrics)


def test_the_card_shows_every_table_as_measured(metrics):
    shown = sections()
    for table in metrics["tables"]:
        assert "\n".join(shown[table["title"]]) == model_card.table(table["columns"], table["rows"])


def numbers(value) -> set[str]:
    """Every number inside a JSON value, as the card writes it; numbers inside of texts too."""
    if isinstance(value, dict):
        return set().union(*map(numbers, value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers, value))
    if isinstance(value, float):
        return {f"{value:.3f}"}
    return set(re.findall(r"-?\d+(?:\.\d+)?", str(value)))


def test_no_figure_of_the_card_was_typed_by_hand(metrics):
    measured = numbers(metrics)
    for heading, rows in sections().items():
        for row in rows:
            for figure in re.findall(r"-?\d+(?:\.\d+)?", row):
                assert figure in measured, f"{heading}: {figure}"
