"""Lab states from a link or a file, whatever is in them: a state, or one sentence of our own."""

from __future__ import annotations

import copy
import json
import math
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hff.errors import HFFError, InputError
from hff.lab.state import MAX_SAMPLES, LabState
from tests.support.page_browser import real_model

pytestmark = pytest.mark.attack
WHOLE = {
    "format": 1,
    "source": "clip",
    "damage": {
        "speech": {"kind": "babble", "severity": 0.5, "muted": False},
        "vision": {"kind": "blur", "severity": 0.25},
        "text": {"severity": 0.1},
    },
    "alpha": {"speech": 0.2, "text": 0.3, "vision": 0.5},
    "without": ["attention"],
    "samples": 20,
    "seed": 7,
    "text": "I am fine",
}
ODD = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, -(2**70), 10**399, 1e308, -1e308, 1e-320, float("nan"),
    float("inf"), -float("inf"), "", "5", "nan", "\0", "\ud800", "x" * 3000, "<img src=x onerror=alert(1)>", [], [[]],
    {}, {"": None}, [None] * 3, [1, 2, 3], {"speech": {}}, {"__class__": "x"}, {"toString": 1}, [{"a": [{}]}], (),
)  # fmt: skip
TEXTS = (
    "", " ", "null", "true", "5", '"x"', "[]", "{", "{}x", "\ufeff{}", "NaN", '{"seed": NaN}', '{"seed": Infinity}',
    '{"seed": -Infinity}', '{"samples": -1}', '{"seed": 1e999}', '{"source": "\\ud800"}', '{"text": "\\u0000"}',
    '{"seed": ' + "9" * 400 + "}", '{"seed": ' + "9" * 5000 + "}", '{"samples": ' + "9" * 400 + "}",
    '{"alpha": [' + "9" * 400 + ", 1, 1]}", '{"damage": {"speech": {"severity": ' + "9" * 400 + "}}}",
    "[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, '{"seed": 1, "seed": 2}', '{"constructor": {}}',
    '{"__proto__": {"seed": 1}}', '{"format": 2}', '{"format": "1"}', '{"format": [1]}', '{"without": "attention"}',
    '{"without": [["attention"]]}', '{"without": [{}]}', '{"damage": {"speech": {"kind": []}}}',
    '{"damage": {"speech": {"kind": {}}}}', '{"damage": {"speech": {"kind": null}}}', "\0", "\ud800",
)  # fmt: skip


def checked(state: LabState) -> None:
    """What an accepted state has to be, and that it comes back from its own JSON."""
    assert 0 <= state.samples <= MAX_SAMPLES
    assert 0 <= state.seed < 2**31
    assert state.alpha is None or math.isclose(sum(state.alpha), 1)
    assert all(0 <= done.severity <= 1 for done in state.corruption.values())
    again = LabState.from_json(state.to_json())
    assert again == LabState.from_json(again.to_json())


def taken(read, value) -> bool:
    """Whether ``read`` makes a state of it; every error but ours goes on."""
    try:
        state = read(value)
    except InputError:
        return False
    checked(state)
    return True


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:40]))
def test_texts_that_are_nearly_a_state(text):
    taken(LabState.from_json, text)


@pytest.mark.parametrize("value", [None, 5, b"\xff", [], 2.5])
def test_what_is_no_text(value):
    assert not taken(LabState.from_json, value)


def test_every_part_may_be_anything():
    """Each place of a whole state holds each odd value once."""
    assert taken(LabState.from_dict, WHOLE)
    accepted = refused = 0
    for place in _places(WHOLE):
        for value in ODD:
            if taken(LabState.from_dict, _put(WHOLE, place, value)):
                accepted += 1
            else:
                refused += 1
    assert refused > accepted > 0


@pytest.mark.parametrize("seed", range(8))
def test_damaged_json(seed):
    """Characters of a healthy state changed, cut out and repeated."""
    chance = Random(seed)
    healthy = json.dumps(WHOLE)
    accepted = 0
    for _ in range(500):
        text = list(healthy)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 3)] = chance.choice(
                ("", "0", "-", "9" * 50, '"', "{", "}", "[", "]", ",", ":", "e", ".", "null", "\\u0000", "\\ud800")
            )
        accepted += taken(LabState.from_json, "".join(text))
    assert 0 < accepted < 500


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*WHOLE, "speech", "kind"]), inner),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*WHOLE]), anything))
def test_any_values_under_the_right_names(values):
    taken(LabState.from_dict, values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": -1},
        {"samples": 0},
        {"samples": 10**9},
        {"samples": "5"},
        {"samples": float("nan")},
        {"seed": 2**70},
        {"seed": -(2**70)},
        {"seed": "x"},
        {"seed": None},
        {"samples": None},
        {"samples": 2.5},
        {"seed": 0.5},
    ],
    ids=str,
)
def test_numbers_that_the_model_cannot_take(wrong):
    """``samples`` and ``seed`` of the Python interface: an answer or a sentence, and no 10**9 draws."""
    with suppress(HFFError):
        result = real_model().analyze(text="I am fine", **wrong)
        assert math.isclose(sum(result.probabilities.values()), 1, abs_tol=1e-3)


def _places(value: object, before: tuple = ()) -> list[tuple]:
    """The way to every value inside."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [*([before] if before else []), *(place for key in keys for place in _places(value[key], (*before, key)))]


def _put(values: dict, place: tuple, new: object) -> dict:
    changed = copy.deepcopy(values)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    return changed
