"""One moment of a reading as the chain of numbers by which the model got there.

    sigma^2 = aleatoric + epistemic          uncertainty, after calibration and the pull of what is strange
    w       = 1 / (sigma^2 + eps)            precision, equation (19)
    alpha   = alpha0 w / sum of alpha0 w     the weights, over the modalities that are there
    share   = alpha / largest alpha          for how much of a token a modality counts in the attention (21)

alpha0, equation (17), comes out of a layer with the features and holds the distrust of what is strange already: those
are not kept in a result, so the chain begins with it. The figures of a ``Moment`` are the result's own, unrounded;
``shown_of`` rounds them so that the sums hold as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import numpy as np

from hff.arithmetic import MOST_DIGITS, adds_up, fewest, gives, places_in, ratio, rounded, significant, visible
from hff.config import MODALITIES, HFFConfig
from hff.result import Result, moment_weights

LEAST_PLACES = 2  # of a share, and of sigma^2
LEAST_DIGITS = 2  # significant ones, of w and alpha0 w
MORE_PLACES = 3  # of alpha where it is a factor


@dataclass(frozen=True)
class Weighing:
    """How the weight of one modality, present at the moment, came about."""

    aleatoric: float
    epistemic: float
    variance: float  # sigma^2
    precision: float  # w
    alpha0: float
    weighted: float  # alpha0 w
    alpha: float
    share: float  # of a token in the attention


@dataclass(frozen=True)
class Moment:
    """One step of a clip; ``weighings`` holds the modalities present, in the order of ``MODALITIES``."""

    number: int  # 0 to T - 1
    start: float  # s
    end: float  # s
    eps: float  # of equation (19)
    by_precision: bool  # False where the config has the dynamic weighting switched off: all weigh the same
    weighings: dict[str, Weighing]
    beta: float
    counted: float  # its share among the moments that a clip's alpha is the mean of
    looks: dict[str, float] | None  # attention by kind of key, mean over layers and heads; None where it is not kept
    probabilities: dict[str, float]  # with what came before

    @property
    def emotion(self) -> str:
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclass(frozen=True)
class Shown:
    """The figures of a ``Weighing`` rounded so that every sum holds as it stands there."""

    aleatoric: Decimal
    epistemic: Decimal
    variance: Decimal  # = aleatoric + epistemic
    precision: Decimal  # = 1 / (variance + eps)
    alpha0: Decimal
    weighted: Decimal  # = alpha0 * precision
    alpha: Decimal  # = weighted / sum of all weighted
    shared: Decimal  # alpha with the places that ``share`` needs
    share: Decimal  # = shared / largest shared
    counting: Decimal  # alpha with the places that ``added`` needs
    counted: Decimal  # ``Moment.counted``, the same for all
    added: Decimal  # = counted * counting


def moment_of(result: Result, number: int, config: HFFConfig) -> Moment:
    """Step ``number``, 0 to T - 1, of a result read with weights of this config. Raises ``IndexError``."""
    line = result.timeline
    if not 0 <= number < len(line.times):
        raise IndexError(f"moment {number} of {len(line.times)}")
    middle, half = float(line.times[number]), line.step_seconds / 2
    return Moment(
        number=number,
        start=middle - half,
        end=middle + half,
        eps=config.precision_eps,
        by_precision=config.use_dynamic_weighting,
        weighings={m: _weighing(result, number, i) for i, m in enumerate(MODALITIES) if line.present[number, i]},
        beta=float(line.beta[number]),
        counted=float(moment_weights(line.alpha, line.present, line.beta)[number]),
        looks=looks_of(result, number),
        probabilities=dict(zip(result.probabilities, line.probabilities[number].tolist(), strict=True)),
    )


def _weighing(result: Result, number: int, i: int) -> Weighing:
    line = result.timeline
    names = ("aleatoric", "epistemic", "variance", "precision", "alpha0", "alpha")
    figures = {name: float(getattr(line, name)[number, i]) for name in names}
    largest = float(line.alpha[number].max())
    weighted = figures["alpha0"] * figures["precision"]
    return Weighing(**figures, weighted=weighted, share=figures["alpha"] / largest if largest > 0 else 0.0)


def looks_of(result: Result, number: int) -> dict[str, float] | None:
    """Where step ``number`` looks, by kind of key: its row of the attention maps, mean over layers and heads.

    Sums to 1. None without attention, outside of the block that is kept of a long clip, and where nothing is present.
    """
    attention = result.attention
    if attention is None or not result.timeline.present[number].any():
        return None
    row = np.flatnonzero(np.isclose(attention.query_times, result.timeline.times[number]))
    if not len(row):
        return None
    by_kind = np.asarray(attention.by_kind()[:, :, row[0]], float).mean((0, 1)).sum(-1)
    return dict(zip(attention.key_kinds, (by_kind / by_kind.sum()).tolist(), strict=True))


def weightiest(result: Result) -> int:
    """The step on which the answer rests most, of those where several modalities are present if there are any."""
    line = result.timeline
    return int(moment_weights(line.alpha, line.present, line.beta).argmax())


# ---- how it is shown -----------------------------------------------------------------------------------------


def shown_of(moment: Moment) -> dict[str, Shown]:
    """What stands on the page for each modality present: found from alpha back to sigma^2, each with as few digits as
    the sum that it stands in needs.
    """
    exact = moment.weighings
    alpha = _alphas(exact)
    weighted = _weighted(exact, alpha)
    shared = _shares(exact, alpha)
    counted, counting = _counting(moment, alpha)
    shown = {}
    for m, one in exact.items():
        alpha0, w = _factors(one, weighted[m])
        variance = _variance(one, w, moment.eps)
        parts = _two_parts(one, variance)
        weight = (weighted[m], alpha[m], *shared[m])
        shown[m] = Shown(*parts, variance, w, alpha0, *weight, counting[m][0], counted, counting[m][1])
    return shown


def answer_shown(result: Result) -> tuple[Decimal, dict[str, Decimal], Decimal]:
    """A blind guess, 1/C, and the Shapley value of each modality present, which add up to the answer's probability."""
    guess = 1 / len(result.probabilities)
    parts = {m: value for m, value in result.shapley.items() if value is not None}
    answer = _short_of_one(result.probabilities[result.emotion])
    places = fewest(
        range(LEAST_PLACES, MOST_DIGITS),
        lambda n: gives(_sum(rounded(part, n) for part in (guess, *parts.values())), answer),
    )
    return rounded(guess, places), {m: rounded(value, places) for m, value in parts.items()}, answer


def _short_of_one(share: float) -> Decimal:
    """What is not quite certain never looks like it."""
    return rounded(share, fewest(range(LEAST_PLACES, MOST_DIGITS), lambda n: share >= 1 or rounded(share, n) < 1))


def _alphas(exact: dict[str, Weighing]) -> dict[str, Decimal]:
    alphas = [one.alpha for one in exact.values()]
    # Where all weigh a third, as without dynamic weighting, no number of places adds up.
    places = fewest((*range(LEAST_PLACES, MOST_DIGITS), LEAST_PLACES), lambda n: adds_up(alphas, n))
    return {m: visible(one.alpha, places) for m, one in exact.items()}


def _weighted(exact: dict[str, Weighing], alpha: dict[str, Decimal]) -> dict[str, Decimal]:
    def shown(digits: int) -> dict[str, Decimal]:
        return {m: significant(one.weighted, digits) for m, one in exact.items()}

    def hold(digits: int) -> bool:
        figures = shown(digits)
        return all(gives(ratio(figures[m], _sum(figures.values())), alpha[m]) for m in exact)

    return shown(fewest(range(LEAST_DIGITS, MOST_DIGITS), hold))


def _factors(one: Weighing, weighted: Decimal) -> tuple[Decimal, Decimal]:
    """alpha0 and w, with as few digits in both together as give what they are to give."""
    pairs = sorted(product(range(LEAST_DIGITS, MOST_DIGITS), repeat=2), key=lambda pair: (sum(pair), max(pair)))

    def shown(number: int) -> tuple[Decimal, Decimal]:
        return significant(one.alpha0, pairs[number][0]), significant(one.precision, pairs[number][1])

    return shown(fewest(range(len(pairs)), lambda number: gives(_product(*shown(number)), weighted)))


def _variance(one: Weighing, w: Decimal, eps: float) -> Decimal:
    def hold(places: int) -> bool:
        return gives(ratio(Decimal(1), visible(one.variance, places) + Decimal(repr(eps))), w)

    return visible(one.variance, fewest(range(LEAST_PLACES, MOST_DIGITS), hold))


def _two_parts(one: Weighing, variance: Decimal) -> tuple[Decimal, Decimal]:
    least = places_in(variance)

    def shown(places: int) -> tuple[Decimal, Decimal]:
        return visible(one.aleatoric, places), visible(one.epistemic, places)

    return shown(fewest(range(least, MOST_DIGITS), lambda n: gives(_sum(shown(n)), variance)))


def _shares(exact: dict[str, Weighing], alpha: dict[str, Decimal]) -> dict[str, tuple[Decimal, Decimal]]:
    """(alpha, what it is of the largest alpha) by modality."""
    largest = max(exact, key=lambda m: exact[m].alpha, default="")
    share = {m: visible(one.share, LEAST_PLACES) for m, one in exact.items()}

    def shown(more: int) -> dict[str, Decimal]:
        return {m: visible(one.alpha, more + places_in(alpha[m])) for m, one in exact.items()}

    def hold(more: int) -> bool:
        figures = shown(more)
        return all(gives(ratio(figures[m], figures[largest]), share[m]) for m in exact)

    figures = shown(fewest(range(MOST_DIGITS), hold))
    return {m: (figures[m], share[m]) for m in exact}


def _counting(moment: Moment, alpha: dict[str, Decimal]) -> tuple[Decimal, dict[str, tuple[Decimal, Decimal]]]:
    """The moment's share among all, and (alpha, what it adds to the clip's) by modality."""
    added = {m: visible(moment.counted * one.alpha, LEAST_PLACES) for m, one in moment.weighings.items()}

    def factor(m: str, counted: Decimal) -> Decimal:
        exact, least = moment.weighings[m].alpha, places_in(alpha[m])
        more = range(least, least + MORE_PLACES)
        return visible(exact, fewest(more, lambda n: gives(counted * visible(exact, n), added[m])))

    def hold(digits: int) -> bool:
        counted = significant(moment.counted, digits)
        return all(gives(counted * factor(m, counted), added[m]) for m in added)

    counted = significant(moment.counted, fewest(range(LEAST_DIGITS, MOST_DIGITS), hold))
    return counted, {m: (factor(m, counted), added[m]) for m in added}


def _product(one: Decimal, other: Decimal) -> Decimal:
    return one * other


def _sum(parts: Iterable[Decimal]) -> Decimal:
    return sum(parts, Decimal(0))
