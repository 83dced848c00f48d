"""One moment's chain of numbers: it is what the model did, and the sums hold as they are shown."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations

import numpy as np
import pytest
import torch

from hff.config import MODALITIES, HFFConfig
from hff.moment import answer_shown, moment_of, shown_of, weightiest
from hff.pipeline.features import ClipFeatures
from hff.pipeline.time_axis import timeline_of
from hff.result import Result, moment_weights
from tests.support.model_fixtures import random_clips, small_config, small_model
from tests.support.page_fixtures import make_result

STEPS = 12
SUBSETS = [there for count in (1, 2, 3) for there in combinations(MODALITIES, count)]


def read(config: HFFConfig, there: tuple[str, ...], seed: int = 0) -> Result:
    """What a small model with every parameter random makes of random features; only ``there`` may be present."""
    switches = {name: getattr(config, name) for name in ("bounded", "use_dynamic_weighting")}
    chance = torch.rand(1, STEPS, 3, generator=torch.Generator().manual_seed(seed)) < 0.7
    clip = random_clips(config, 1, STEPS, seed, chance & torch.tensor([m in there for m in MODALITIES]))
    with torch.inference_mode():
        output = small_model(seed, **switches)(**clip, samples=0)
    features = ClipFeatures(*(clip[m][0] for m in MODALITIES), clip["present"][0])
    return make_result(STEPS / 2, there, timeline=timeline_of(output, features))


@pytest.mark.parametrize("there", SUBSETS, ids="+".join)
@pytest.mark.parametrize("bounded", [True, False])
def test_the_chain_leads_to_the_alpha_that_the_model_used(there: tuple[str, ...], bounded: bool):
    config = small_config(bounded=bounded, precision_eps=0.01)
    result = read(config, there)
    for number in range(STEPS):
        moment = moment_of(result, number, config)
        assert [m in moment.weighings for m in MODALITIES] == result.timeline.present[number].tolist()
        weighted = {m: one.alpha0 / (one.aleatoric + one.epistemic + moment.eps) for m, one in moment.weighings.items()}
        for i, m in enumerate(MODALITIES):
            alpha = weighted[m] / sum(weighted.values()) if m in weighted else 0.0
            assert alpha == pytest.approx(result.timeline.alpha[number, i], abs=1e-5)
        for one in moment.weighings.values():
            assert one.precision == pytest.approx(1 / (one.variance + moment.eps), rel=1e-5)
            assert one.alpha == pytest.approx(one.weighted / sum(weighted.values()), abs=1e-5)
            assert one.share == pytest.approx(one.alpha / max(o.alpha for o in moment.weighings.values()))


def works_out(figure: Decimal, found: Decimal) -> bool:
    """Whether somebody with a calculator who rounds ``found`` as ``figure`` is rounded writes down ``figure``."""
    return found.quantize(figure, ROUND_HALF_UP) == figure


def close(figure: Decimal, value: float) -> bool:
    """Whether ``figure`` is ``value`` rounded to its last place."""
    return abs(figure - Decimal(value)) <= Decimal("0.5000001").scaleb(int(figure.as_tuple().exponent))


@pytest.mark.parametrize("seed", range(6))
def test_every_sum_holds_as_it_is_shown(seed: int):
    config = small_config(precision_eps=0.01)
    for result in (read(config, MODALITIES, seed), make_result(20, seed=seed)):
        for number in range(len(result.timeline.times)):
            moment = moment_of(result, number, config)
            shown = shown_of(moment)
            every = sum(one.weighted for one in shown.values())
            assert not shown or sum(one.alpha for one in shown.values()) == 1
            for m, one in shown.items():
                assert works_out(one.variance, one.aleatoric + one.epistemic)
                assert works_out(one.precision, 1 / (one.variance + Decimal("0.01")))
                assert works_out(one.weighted, one.alpha0 * one.precision)
                assert works_out(one.alpha, one.weighted / every)
                assert works_out(one.share, one.shared / max(other.shared for other in shown.values()))
                assert works_out(one.added, one.counted * one.counting)
                exact = vars(moment.weighings[m])
                assert all(close(figure, exact[name]) for name, figure in vars(one).items() if name in exact)
                assert all(figure for name, figure in vars(one).items() if exact.get(name)), "there, and shown as 0"
                assert one.counted == 0 or close(one.counted, moment.counted)


def test_a_weight_that_is_nearly_nothing_is_not_shown_as_nothing():
    result = make_result(0.5)
    line = result.timeline
    line.aleatoric[0], line.epistemic[0] = (0.8, 0.3, 0.01), (0.03, 0.05, 0.03)
    line.alpha0[0] = (0.0004, 0.7, 0.2996)
    line.precision[0] = 1 / (line.variance[0] + 0.01)
    line.alpha[0] = line.alpha0[0] * line.precision[0] / (line.alpha0[0] * line.precision[0]).sum()
    shown = shown_of(moment_of(result, 0, HFFConfig()))
    assert str(shown["speech"].alpha) == "0.00006"
    assert shown["speech"].weighted > 0
    assert sum(one.alpha for one in shown.values()) == 1


def test_without_dynamic_weighting_all_weigh_the_same():
    config = small_config(use_dynamic_weighting=False)
    result = read(config, MODALITIES)
    assert 3 in result.timeline.present.sum(1)
    for number in range(STEPS):
        moment = moment_of(result, number, config)
        assert not moment.by_precision
        for one in moment.weighings.values():
            assert one.alpha == pytest.approx(1 / len(moment.weighings))
        assert {str(one.alpha) for one in shown_of(moment).values()} <= {"1.00", "0.50", "0.33"}


def test_what_the_moments_add_makes_the_clips_alpha():
    result = make_result(20)
    added = dict.fromkeys(MODALITIES, 0.0)
    for number in range(len(result.timeline.times)):
        moment = moment_of(result, number, HFFConfig())
        for m, one in moment.weighings.items():
            added[m] += moment.counted * one.alpha
    assert added == pytest.approx(result.timeline.mean_alpha)


def test_a_moment_with_one_modality_adds_nothing_where_others_had_a_choice():
    result = make_result(4)
    result.timeline.present[3] = (True, False, False)
    result.timeline.alpha[3] = (1, 0, 0)
    assert moment_of(result, 3, HFFConfig()).counted == 0
    assert weightiest(result) != 3


def test_a_moment_with_nothing_has_an_empty_chain():
    result = make_result(4)
    for values in (result.timeline.present, result.timeline.alpha, result.timeline.alpha0):
        values[2] = 0
    moment = moment_of(result, 2, HFFConfig())
    assert (moment.weighings, shown_of(moment), moment.counted, moment.looks) == ({}, {}, 0, None)


def test_where_a_moment_looks_is_the_mean_of_its_rows():
    result = make_result(6)
    looks = moment_of(result, 5, HFFConfig()).looks
    rows = result.attention.values[:, :, 5].mean((0, 1)).reshape(4, -1).sum(1)
    assert list(looks) == ["fused", *MODALITIES]
    np.testing.assert_allclose(list(looks.values()), rows, rtol=1e-5)
    result.attention.query_times = result.attention.query_times + 100  # another block of a long clip was kept
    assert moment_of(result, 5, HFFConfig()).looks is None


def test_time_and_answer_are_those_of_the_step():
    result = make_result(6)
    moment = moment_of(result, 3, HFFConfig())
    assert (moment.start, moment.end) == (1.5, 2.0)
    assert moment.beta == result.timeline.beta[3]
    assert list(moment.probabilities.values()) == result.timeline.probabilities[3].tolist()
    for beyond in (-1, 12):
        with pytest.raises(IndexError):
            moment_of(result, beyond, HFFConfig())


@pytest.mark.parametrize("there", SUBSETS, ids="+".join)
def test_the_answer_is_a_guess_and_what_each_modality_moved(there: tuple[str, ...]):
    result = make_result(5, there)
    guess, parts, answer = answer_shown(result)
    assert list(parts) == list(there)
    assert works_out(answer, guess + sum(parts.values()))
    assert close(answer, result.probabilities[result.emotion])


def test_an_answer_that_is_nearly_certain_does_not_look_it():
    result = make_result(5)
    result.probabilities[result.emotion] = 0.9978
    result.shapley = {"speech": 0.3, "text": 0.4, "vision": 0.9978 - 0.7 - 1 / 7}
    assert str(answer_shown(result)[2]) == "0.998"


def test_moments_weigh_as_much_as_they_count_and_all_of_them_1():
    present = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 1]], bool)
    weights = moment_weights(present / present.sum(1, keepdims=True), present, np.array([0.2, 0.5, 0.3]))
    np.testing.assert_allclose(weights, [0.4, 0, 0.6])
