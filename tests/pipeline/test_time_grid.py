"""What falls into which step of the common time grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hff.config import STEP_SECONDS
from hff.pipeline import time_grid


@pytest.mark.parametrize(
    ("seconds", "steps"),
    [(0, 1), (0.01, 1), (0.5, 1), (0.54, 1), (0.56, 2), (1.0, 2), (1.04, 2), (9.98, 20), (10.2, 21), (3600, 7200)],
)
def test_step_count(seconds, steps):
    assert time_grid.step_count(seconds) == steps
    np.testing.assert_allclose(time_grid.step_times(steps)[[0, -1]], [0.25, steps * STEP_SECONDS - 0.25])


intervals = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 150)), max_size=4)  # start and length, hundredths s


@given(intervals, st.integers(1, 7))
@settings(deadline=None)
def test_overlap_by_counting(spans, steps):
    """Against counting hundredths of a second one by one."""
    expected = np.zeros((len(spans), steps))
    for row, (start, length) in enumerate(spans):
        for hundredth in range(start, start + length):
            if hundredth // 50 < steps:
                expected[row, hundredth // 50] += 0.01
    shared = np.zeros_like(expected)
    of_each = time_grid.shared_seconds([(start / 100, (start + length) / 100) for start, length in spans], steps)
    for row, (touched, seconds) in zip(shared, of_each, strict=True):
        row[touched] = seconds
    np.testing.assert_allclose(shared, expected, atol=1e-9)


def test_voiced_steps_hold_a_tenth_of_a_second_of_voice():
    voiced = [(0.42, 0.61), (1.0, 1.05), (1.4, 1.46), (2.2, 3.1)]  # 0.08 + 0.11, then 0.05 + 0.06 within one step
    assert time_grid.voiced_steps(voiced, 7).tolist() == [False, True, True, False, True, True, True]
    assert not time_grid.voiced_steps([], 3).any()
