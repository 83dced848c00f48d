"""What each modality alone would say, and Shapley values beside alpha: HTML for the page and the report."""

from __future__ import annotations

from markupsafe import Markup

from hff.config import MODALITIES
from hff.locale import names, texts
from hff.page.shared.amounts import percent, signed_points
from hff.page.shared.render import render
from hff.result import Result


def alone(result: Result) -> Markup:
    """One small box of bars per modality."""
    return render("effects.html", "alone", result, MODALITIES)


def shapley(result: Result) -> Markup:
    """Alpha and the Shapley value of each modality side by side, and how they add up."""
    guess = 1 / len(result.probabilities)
    total = sum(value for value in result.shapley.values() if value is not None)
    summed = texts.SHAPLEY_SUM.format(
        guess=percent(guess, 1),
        total=signed_points(total).replace("+", "+ ").replace("−", "− "),
        percent=percent(guess + total, 1),
        emotion=names.emotion(result.emotion),
    )
    return render("effects.html", "shapley", result, MODALITIES, summed)


def subsets_html(result: Result) -> Markup:
    """The answer to every combination of the modalities that are there."""
    return render("effects.html", "subsets", result)
