"""Eight threads that read different things at once get what each gets alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from hff.errors import HFFError
from tests.support.page_browser import real_model
from tests.support.page_fixtures import alike

from .cases import damaged

pytestmark = pytest.mark.attack
THREADS = 8
ROUNDS = 3


def answer(inputs: dict) -> dict | str:
    """All figures of a reading but the times of work, or the sentence that refuses."""
    try:
        result = real_model().analyze(**inputs)
    except HFFError as error:
        return str(error)
    return {name: value for name, value in json.loads(json.dumps(result.to_dict())).items() if name != "timings"}


def test_eight_threads_get_equal_results(seeds, tmp_path):
    """Healthy and damaged files side by side: one that fails disturbs no other."""
    broken = [case.path for name in ("mp4", "png") for case in damaged(seeds, name, [0], 9, tmp_path)]
    inputs = [
        {"video": str(seeds["mp4"])},
        {"video": str(seeds["webm vp8"]), "transcribe": False},
        {"audio": str(seeds["wav"])},
        {"image": str(seeds["png"])},
        {"text": "I miss my grandmother"},
        {"video": str(broken[0])},
        {"image": str(broken[1])},
        {"image": str(seeds["jpg"]), "text": "What a wonderful day", "seed": 5},
    ]
    alone = [answer(given) for given in inputs]
    assert sum(isinstance(one, dict) for one in alone) >= 6
    order = [(turn + step) % len(inputs) for turn in range(ROUNDS) for step in range(len(inputs))]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda which: answer(inputs[which]), order))
    different = [inputs[which] for which, one in zip(order, together, strict=True) if not alike(one, alone[which])]
    assert not different
