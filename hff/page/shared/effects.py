"""What each modality alone would say, and Shapley values beside alpha: HTML for the page and the report."""

from __future__ import annotations

from hff.config import MODALITIES
from hff.locale import names, texts
from hff.page.shared.cards import bars, decimal, icon, note, percent, text
from hff.result import Result


def alone(result: Result) -> str:
    """One small box of bars per modality."""
    return (
        f'<section class="hff-part"><h3>{text(texts.ALONE_TITLE)}</h3>{note(texts.ALONE_NOTE)}'
        f'<div class="hff-alone">{"".join(_box(result, modality) for modality in MODALITIES)}</div></section>'
    )


def _box(result: Result, modality: str) -> str:
    probabilities = result.per_modality[modality]
    title = f"{icon(modality)}{text(names.modality(modality))}"
    if probabilities is None:
        return f'<div class="hff-box hff-{modality} hff-absent"><h4>{title}</h4><p>{text(texts.ALONE_ABSENT)}</p></div>'
    best = max(probabilities, key=probabilities.get)
    return (
        f'<div class="hff-box hff-{modality}"><h4>{title}<span class="hff-says">{text(names.emotion(best))}</span></h4>'
        f"{bars(probabilities)}</div>"
    )


def points(value: float) -> str:
    """A change of probability in signed points, with a true minus sign."""
    return f"{'+' if value >= 0 else '−'}{decimal(abs(100 * value), 1)}"


def shapley(result: Result) -> str:
    """Alpha and the Shapley value of each modality side by side, and how they add up."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in texts.SHAPLEY_COLUMNS)
    rows = "".join(_row(result, modality) for modality in MODALITIES)
    guess = 1 / len(result.probabilities)
    total = sum(value for value in result.shapley.values() if value is not None)
    summed = texts.SHAPLEY_SUM.format(
        guess=percent(guess, 1),
        total=points(total).replace("+", "+ ").replace("−", "− "),
        percent=percent(guess + total, 1),
        emotion=names.emotion(result.emotion),
    )
    return (
        f'<section class="hff-part"><h3>{text(texts.SHAPLEY_TITLE)}</h3>'
        f"{note(texts.SHAPLEY_NOTE.format(emotion=names.emotion(result.emotion)))}"
        f'<table class="hff-table hff-shapley"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"{note(summed)}</section>"
    )


def _row(result: Result, modality: str) -> str:
    name = f'<th scope="row">{icon(modality)}{text(names.modality(modality))}</th>'
    value = result.shapley[modality]
    if value is None or not result.present[modality]:
        return f'<tr class="hff-{modality} hff-absent">{name}<td>{texts.ABSENT}</td><td>{texts.ABSENT}</td></tr>'
    alpha = result.alpha[modality]
    # Alpha grows from the left; the Shapley value from a middle line, since it can pull either way.
    side = "left:50%" if value >= 0 else "right:50%;left:auto"
    return (
        f'<tr class="hff-{modality}">{name}'
        f'<td><div class="hff-cell"><span class="hff-track"><b style="width:{100 * alpha:.2f}%"></b></span>'
        f'<span class="hff-value">{decimal(alpha)}</span></div></td>'
        f'<td><div class="hff-cell"><span class="hff-track hff-signed">'
        f'<b style="{side};width:{min(50, 50 * abs(value)):.2f}%"></b></span>'
        f'<span class="hff-value">{text(texts.POINTS.format(points=points(value)))}</span></div></td></tr>'
    )


def subsets(result: Result) -> str:
    """The answer to every combination of the modalities that are there."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in texts.SUBSETS_COLUMNS)
    rows = []
    for subset, probabilities in result.subsets.items():
        best = max(probabilities, key=probabilities.get)
        title = " + ".join(names.modality(name) for name in subset.split("+"))
        rows.append(
            f'<tr><th scope="row">{text(title)}</th><td>{text(names.emotion(best))}</td>'
            f"<td>{text(percent(probabilities[best]))}</td></tr>"
        )
    return (
        f'<section class="hff-part"><h3>{text(texts.SUBSETS_TITLE)}</h3>{note(texts.SUBSETS_NOTE)}'
        f'<table class="hff-table"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></section>'
    )
