"""The sweep's chart, its sentence and its data, without model or browser."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from hff.config import EMOTIONS, MODALITIES
from hff.lab.lab import SweepPoint
from hff.locale import texts
from hff.page.lab.sweep_chart import sweep_chart, sweep_sentence
from hff.page.lab.sweep_view import csv_text
from tests.support.model_fixtures import SHIPPED


def sweep_points(count: int = 5) -> list[SweepPoint]:
    rest, absent, unknown = dict.fromkeys(EMOTIONS, 0.02), dict.fromkeys(MODALITIES, 0.0), dict.fromkeys(MODALITIES)
    return [
        SweepPoint(
            s,
            "happy" if s < 0.5 else "sad",
            absent | {"speech": s / 2, "text": s / 2, "vision": 1 - s},
            unknown | {"speech": 0.3, "text": None if s > 0.6 else 0.4, "vision": 0.1 + s},
            rest | {"happy": 0.9 - 0.8 * s, "sad": 0.1 + 0.8 * s},
        )
        for s in np.linspace(0, 1, count)
    ]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_chart_is_sound_svg_at_every_moment(count: int):
    points = sweep_points(5)[:count]
    drawn = ElementTree.fromstring(sweep_chart(points, "vision"))
    assert drawn.get("data-points") == str(count)
    assert len(drawn.findall(".//path")) == (0 if count == 0 else len(EMOTIONS) + len(SHIPPED) + len(MODALITIES))
    shown = "".join(drawn.itertext())
    for word in (texts.SWEEP_ALPHA, texts.SWEEP_VARIANCE, texts.SWEEP_PROBABILITY, "Face: severity of the damage"):
        assert word in shown


def test_the_chart_puts_figures_where_they_belong():
    drawn = ElementTree.fromstring(sweep_chart(sweep_points(), "vision"))
    alpha = drawn.findall("./g")[0]
    line = next(path.get("d") for path in alpha.findall(".//path") if "hff-vision" in path.get("class"))
    x, y = np.array([[float(v) for v in point.split()] for point in re.findall(r"[\d.]+ [\d.]+", line)]).T
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0], atol=0.2)
    np.testing.assert_allclose((y - y[0]) / (y[-1] - y[0]), np.linspace(0, 1, 5), atol=0.01)
    assert y[-1] > y[0]  # alpha falls: further down


def test_names_of_lines_do_not_overlap():
    drawn = ElementTree.fromstring(sweep_chart(sweep_points(), "vision"))
    for panel in drawn.findall("./g"):
        heights = sorted(float(t.get("y")) for t in panel.findall(".//text") if "sweep-name" in t.get("class", ""))
        assert all(b - a >= 18 for a, b in itertools.pairwise(heights))


def test_names_that_crowd_below_do_not_move_one_at_the_top():
    sure = dict.fromkeys(EMOTIONS, 0.001) | {"happy": 0.994}
    points = [replace(point, probabilities=sure) for point in sweep_points(2)]
    panel = ElementTree.fromstring(sweep_chart(points, "vision")).findall("./g")[-1]
    named = {
        text.text: float(text.get("y")) for text in panel.findall(".//text") if "sweep-name" in text.get("class", "")
    }
    dots = [float(dot.get("cy")) for dot in panel.findall(".//circle")]
    assert named["happy"] == pytest.approx(min(dots) + 5, abs=0.1)
    assert max(named.values()) <= max(dots) + 6
    title = next(float(text.get("y")) for text in panel.findall("./text") if text.text == texts.SWEEP_PROBABILITY)
    assert min(named.values()) - title >= 15


def test_the_sweep_in_a_sentence():
    assert sweep_sentence([], "vision") == texts.SWEEP_WAITING
    sentence = sweep_sentence(sweep_points(), "vision")
    assert "α of the face goes from 1.00 to 0.00" in sentence
    assert "turns from happy to sad" in sentence


def test_a_sweep_of_what_is_not_there_says_so():
    points = [replace(point, variance=point.variance | {"text": None}) for point in sweep_points()]
    assert sweep_sentence(points, "text").startswith("Words: not there to begin with")


def test_the_data_of_a_sweep_leaves_absent_figures_empty():
    lines = csv_text(sweep_points()).splitlines()
    assert len(lines) == 6
    head, last = lines[0].split(","), lines[-1].split(",")
    assert last[head.index("variance_text")] == ""
    assert float(last[head.index("severity")]) == 1
