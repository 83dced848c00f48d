"""Two readings compared: the figures of the lab's table."""

from __future__ import annotations

import numpy as np
import pytest

from hff.config import MODALITIES
from hff.lab.comparison import alpha_by_precision, clip_means
from tests.support.page_fixtures import make_result


def test_first_weights_add_up_to_one_though_a_modality_is_at_times_the_only_one():
    result = make_result(3)
    line, only = result.timeline, MODALITIES.index("speech")
    for values in (line.present, line.alpha0, line.precision):
        values[:2, np.arange(len(MODALITIES)) != only] = 0
    line.alpha0[:2, only] = 1
    first = clip_means(result)["alpha0"]
    assert sum(share for share in first.values() if share is not None) == pytest.approx(1)
    later = line.alpha0[2:, only]
    assert later.min() <= first["speech"] <= later.max(), "moments without a choice say nothing of it"
    assert sum(alpha_by_precision(result).values()) == pytest.approx(1)


def test_what_is_absent_has_no_first_weight():
    assert clip_means(make_result(3, there=("text",)))["alpha0"] == dict.fromkeys(MODALITIES) | {"text": 1.0}
