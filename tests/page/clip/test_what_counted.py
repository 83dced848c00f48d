"""What is said beside a clip's weights: only where it is true of them."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from hff.config import EMOTIONS
from hff.locale import using
from hff.page.clip.report import html_page, reading_html
from hff.page.clip.what_counted import alone_for_a_while, rests_on, what_counted, who_says_what
from hff.result import Result
from tests.support.page_fixtures import make_result

pytestmark = pytest.mark.usefixtures("only_the_papers")


def saying(variance: dict[str, float], emotion: str, **labels: str) -> Result:
    """A reading in which each modality by itself says a label, and the answer is ``emotion``."""
    result = make_result(4, there=tuple(labels), emotion=emotion)
    for m, label in labels.items():
        result.per_modality[m] = dict.fromkeys(EMOTIONS, 0.02) | {label: 0.88}
        result.variance[m] = variance[m]
    return result


def test_how_long_each_was_the_only_one_is_said_where_there_was_a_choice():
    result = make_result(3)
    line = result.timeline
    line.present[:] = [[1, 1, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
    result.alone_seconds = line.alone_seconds
    assert "Words 0.5 s and Face 1.5 s" in alone_for_a_while(result)
    with using("de"):
        assert "Worte 0,5 s und Gesicht 1,5 s" in alone_for_a_while(result)
    line.present[:] = [[0, 0, 1]] * 6
    result.alone_seconds = line.alone_seconds
    assert alone_for_a_while(result) == ""
    line.present[:] = True
    result.alone_seconds = line.alone_seconds
    assert alone_for_a_while(result) == ""


@pytest.mark.parametrize(
    ("beta", "part"),
    [
        ([0.4, 0.4, 0.1, 0.05, 0.03, 0.02], "from 0.0 to 1.0 s"),
        ([0.01, 0.02, 0.4, 0.1, 0.4, 0.07], "from 1.0 to 2.5 s"),
        ([0.02, 0.02, 0.02, 0.04, 0.1, 0.8], "from 2.5 to 2.8 s"),
        ([0.25, 0.26, 0.25, 0.24, 0.0, 0.0], "from 0.0 to 1.5 s"),
        ([0.2, 0.3, 0.3, 0.2, 0.0, 0.0], "from 0.0 to 1.5 s"),
        ([0.24, 0.25, 0.26, 0.25, 0.0, 0.0], "from 0.5 to 2.0 s"),
        ([1 / 6] * 6, None),
    ],
)
def test_a_part_is_named_where_the_answer_rests_on_a_part(beta: list[float], part: str | None):
    result = make_result(3)
    result.seconds = 2.8
    result.timeline.present[:] = True
    result.timeline.beta[:] = np.array(beta)
    assert (part in rests_on(result)) if part else rests_on(result) == ""


def test_the_part_of_hours_is_found_at_once():
    result = make_result(3)
    line = vars(result.timeline)
    long = {name: np.repeat(x, 2400, axis=0) for name, x in line.items() if isinstance(x, np.ndarray)}
    result.timeline, result.seconds = dataclasses.replace(result.timeline, **long), 7200.0
    result.timeline.present[:] = True
    result.timeline.beta[:] = 1e-6
    result.timeline.beta[10_000:10_100] = 0.01
    begun = time.perf_counter()
    assert "from 5" in rests_on(result)
    assert time.perf_counter() - begun < 5


def test_moments_without_a_choice_are_no_part_that_alpha_tells_of():
    result = make_result(3)
    result.timeline.present[:] = [[0, 0, 1]] * 4 + [[1, 1, 1]] * 2
    result.timeline.beta[:] = [0.8, 0.1, 0.02, 0.02, 0.03, 0.03]
    assert "from 2.0 to 3.0 s" in rests_on(result)


def test_a_contradiction_is_said_with_who_is_followed():
    at = {"speech": 0.5, "text": 0.4, "vision": 0.1}
    told = who_says_what(saying(at, "happy", text="sad", vision="happy"))
    assert "(Words: sad, Face: happy)" in told
    assert told.endswith("whose σ² is smallest: Face.")
    assert who_says_what(saying(at, "sad", text="sad", vision="happy")).endswith("the answer goes with: Words.")
    assert "lies between them" in who_says_what(saying(at, "angry", text="sad", vision="happy"))
    both = who_says_what(saying(at, "happy", speech="happy", text="sad", vision="happy"))
    assert both.endswith("the answer goes with: Voice and Face.")
    assert who_says_what(saying(at, "happy", speech="happy", text="happy", vision="happy")) == ""


def test_the_report_and_its_file_say_it():
    result = saying({"text": 0.4, "vision": 0.1}, "happy", text="sad", vision="happy")
    assert all(told in reading_html(result) and told in html_page(result) for told in what_counted(result))
    assert what_counted(result)
    assert "hff-counted" not in reading_html(make_result(1, there=("text",)))


def test_of_many_that_hardly_count_none_is_named_as_the_next():
    sure = make_result(2, probabilities=dict.fromkeys(EMOTIONS, 0.003) | {"sad": 0.982}, emotion="sad")
    told = reading_html(sure)
    assert "every other emotion is at under" in told
    second = make_result(2, probabilities=dict.fromkeys(EMOTIONS, 0.003) | {"sad": 0.9, "angry": 0.08}, emotion="sad")
    assert "then angry at 8" in reading_html(second)
