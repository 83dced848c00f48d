"""HTML fragments shared by the page and the report file: headline, probability bars, alpha gauges, notes.

From ``templates/cards.html`` and ``templates/marks.html``, no script: they look the same on the page and in a file
from disk.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from hff.config import MODALITIES
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import SIGMA_FULL, guess_variance, percent, weight_figures, weights
from hff.page.shared.render import render
from hff.result import Result

LEAST_SECOND = (
    0.005  # probability below which no emotion is named as the next: it reads as "under 1%", as all others do
)
SURE_FROM = (0.8, 0.6, 0.4, 0.0)  # probability from which each word of ``texts.SURENESS`` is said


def text(value: object) -> Markup:
    """``value`` as HTML text."""
    return escape(value)


def named(modality: str) -> Markup:
    """A modality's icon and name as a heading."""
    return render("cards.html", "named", modality)


def status(*sentences: str) -> Markup:
    """One line of sentences; empty ones are left out."""
    return render("cards.html", "status", sentences)


def stale(sentence: str) -> Markup:
    """Says that a report is of other inputs than the chosen ones; the style then greys the report."""
    return render("cards.html", "stale", sentence)


def empty() -> Markup:
    """What stands in the report's place before anything was analysed."""
    return render("cards.html", "empty", MODALITIES)


def alert(title: str, message: str, kind: str = "error") -> Markup:
    return render("cards.html", "alert", title, message, kind)


def warnings(messages: Iterable[str]) -> Markup:
    """The result's warnings as a list, or nothing."""
    return render("cards.html", "warnings", list(messages))


def heading(words: str) -> Markup:
    """A view's own heading for those who hear the page: the tab shows it to all others."""
    return render("cards.html", "heading", words)


def counted(sentences: Iterable[str]) -> Markup:
    """What has to be said beside these very weights, one line each; or nothing."""
    return render("cards.html", "counted", list(sentences))


def source(name: str, length: str | None, picture: str | None, ear: str) -> Markup:
    """What a report is of: its name, its length where it has one, a small ``picture`` (an address), its ``ear``."""
    return render("cards.html", "source", name, length, picture, ear)


def headline(result: Result) -> Markup:
    """The emotion, large, with its uncertainty in a sentence, beside all probabilities."""
    return render("cards.html", "headline", result, uncertainty_sentence(result))


def uncertainty_sentence(result: Result) -> str:
    sureness = zip(SURE_FROM, texts.SURENESS, strict=True)
    ranked = sorted(result.probabilities, key=result.probabilities.__getitem__, reverse=True)
    second = next(label for label in ranked if label != result.emotion)
    points = 100 * result.spread[result.emotion]
    said = texts.UNCERTAINTY if result.probabilities[second] >= LEAST_SECOND else texts.UNCERTAINTY_REST
    return said.format(
        sureness=next(word for least, word in sureness if result.probabilities[result.emotion] >= least),
        emotion=names.emotion(result.emotion),
        percent=percent(result.probabilities[result.emotion]),
        spread=texts.SPREAD_SMALL if points < 1 else sentence("SPREAD", count=round(points)),
        second=names.emotion(second),
        second_percent=percent(result.probabilities[second]),
    )


def gauges(result: Result) -> Markup:
    """The alpha gauges with sigma^2 under each."""
    return render("cards.html", "gauges", result, MODALITIES, SIGMA_FULL, guess_variance(len(result.probabilities)))


def stack_parts(result: Result) -> list[tuple[str, float | None, str]]:
    """A bar of weights from left to right: (modality, alpha or ``None`` for what is absent, alpha as it is written)."""
    shown, said = weights(result.alpha), weight_figures(result.alpha)
    return [(m, shown[m] if result.present[m] else None, said[m]) for m in MODALITIES]


def note(sentence: str) -> Markup:
    return render("cards.html", "note", sentence)
