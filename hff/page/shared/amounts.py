"""Figures as a person reads them, by the rules of the language of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hff.arithmetic import in_hundredths, visible
from hff.locale import language, number_format, texts

SIGMA_FULL = 1.0  # sigma^2 that fills a bar or an axis, in every view; a blind guess has a mark below it


def guess_variance(labels: int) -> float:
    """sigma^2, an expected Brier error, of a guess at random among so many labels: where the mark is."""
    return 1 - 1 / labels


def percent(share: float, places: int = 0) -> str:
    """A share as whole percent; what is not quite 0 or 1 never reads as certain."""
    points = 100 * share
    if not places and 0 < points < 0.5:
        return texts.UNDER_ONE_PERCENT.format(percent=percent(0.01))
    if not places and 99.5 <= points < 100:
        return texts.OVER_99_PERCENT.format(percent=percent(0.99))
    return number_format.percentage(share, places, language())


def never_none(value: float) -> str:
    """A figure that is not negative in two decimals; what is not quite 0 never reads as none."""
    return _under_a_hundredth() if 0 < value < 0.005 else decimal(value)


def _under_a_hundredth() -> str:
    return texts.NUMBER_UNDER.format(number=decimal(0.01))


def decimal(value: float, places: int = 2) -> str:
    """A figure with a fixed number of places."""
    return number_format.fixed_point(value, places, language())


def exact(figure: Decimal) -> str:
    """A figure that is rounded already, with all the places that it has."""
    return number_format.localised(f"{figure:f}", language())


def visible_decimal(value: float, places: int = 2) -> str:
    """As ``decimal``, with as many places as it takes to see that it is not nothing."""
    return exact(visible(value, places))


def weights(alpha: Mapping[str, float]) -> dict[str, float]:
    """The modalities' weights as they are shown: in hundredths that add up to 1."""
    return dict(zip(alpha, in_hundredths(alpha.values()), strict=True))


def weight_figures(alpha: Mapping[str, float]) -> dict[str, str]:
    """The modalities' weights as they are written; a small one never reads as that of what is absent, exactly 0."""
    return {
        m: _under_a_hundredth() if alpha[m] > 0 and not shown else decimal(shown) for m, shown in weights(alpha).items()
    }


def variance_parts(aleatoric: float, epistemic: float) -> str:
    """Both parts of sigma^2 as they are written, so that they add up to it as it is written."""
    said = [
        _under_a_hundredth() if part > 0 and not shown else decimal(shown)
        for part, shown in zip((aleatoric, epistemic), in_hundredths((aleatoric, epistemic)), strict=True)
    ]
    return texts.VARIANCE_PARTS.format(aleatoric=said[0], epistemic=said[1])


def signed_points(value: float) -> str:
    """A change of probability in signed points, with a true minus sign."""
    points = round(100 * value, 1)
    return f"{'−' if points < 0 else '+'}{decimal(abs(points), 1)}"


def figure(value: float, name: str) -> str:
    """One of the model's figures of a modality ("variance", "alpha" ...) as it stands in a table."""
    if name == "shapley":
        return signed_points(value)
    return decimal(value, 1) if name == "precision" else never_none(value)
