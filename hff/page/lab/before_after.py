"""Before and after: two bars of weights, the chain that leads to them, and all figures, as HTML."""

from __future__ import annotations

from markupsafe import Markup

from hff.config import MODALITIES
from hff.lab.by_hand import hand_use
from hff.lab.comparison import TABLE_FIGURES, alpha_by_precision, clip_means
from hff.lab.state import LabState
from hff.lab.what_changed import LEAST_CHANGE, most_moved, what_changed
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import (
    SIGMA_FULL,
    decimal,
    figure,
    guess_variance,
    never_none,
    percent,
    weight_figures,
    weights,
)
from hff.page.shared.cards import stack_parts
from hff.page.shared.ears import ear_name
from hff.page.shared.render import render
from hff.result import Result


def change_sentence(before: Result, after: Result, touched: bool) -> str:
    """One sentence: the weight that moved most and why, and what became of the answer.

    ``touched``: whether anything was set up that could change the reading.
    """
    change = what_changed(before, after)
    if change is None and not touched:
        return texts.LAB_SAME
    if change is None:
        return texts.LAB_NO_EFFECT.format(
            least=decimal(LEAST_CHANGE),
            emotion=names.emotion(after.emotion),
            share=percent(after.probabilities[after.emotion]),
        )
    told, end = change.modality, "same" if change.same_answer else "other"
    was, now = (percent(result.probabilities[result.emotion]) for result in (before, after))
    old_alpha0, new_alpha0 = (clip_means(result)["alpha0"][told] or 0.0 for result in (before, after))
    return sentence(
        f"WHAT_CHANGED_{change.kind}_{end}",
        gone=names.modality(told, "gone"),
        back=names.modality(told, "back"),
        of=names.modality(told, "of"),
        old=weight_figures(before.alpha)[told],
        new=weight_figures(after.alpha)[told],
        old_variance=never_none(before.variance[told] or 0.0),
        new_variance=never_none(after.variance[told] or 0.0),
        old_alpha0=figure(old_alpha0, "alpha0"),
        new_alpha0=figure(new_alpha0, "alpha0"),
        old_emotion=names.emotion(before.emotion),
        emotion=names.emotion(after.emotion),
        before=was,
        after=now,
        shares=now if was == now else f"{was} → {now}",
    )


def hand_sentences(state: LabState, after: Result) -> list[str]:
    """Where the weights set by hand could not be used as set; nothing for the model's own."""
    if state.alpha is None:
        return []
    use = hand_use(state.alpha, after.timeline)
    told = [texts.LAB_HAND_ABSENT.format(modality=names.modality(m)) for m in use.absent]
    if use.shared_seconds:
        told.append(texts.LAB_HAND_SHARED.format(seconds=decimal(use.shared_seconds, 1)))
    if use.left_out_seconds:
        told.append(texts.LAB_HAND_LEFT_OUT.format(seconds=decimal(use.left_out_seconds, 1)))
    return told


def alpha0_sentence(state: LabState, after: Result, modality: str) -> str:
    """What the first weight did to a modality's alpha: with and without it."""
    told = {"of": names.modality(modality, "of"), "alpha": weight_figures(after.alpha)[modality]}
    if not after.present[modality]:
        return sentence("ALPHA0_absent", **told)
    if state.alpha is not None:
        return sentence("ALPHA0_hand", **told)
    if "dynamic_weighting" in state.without:
        return sentence("ALPHA0_off", **told)
    by_precision = alpha_by_precision(after)
    gain = after.alpha[modality] - weights(by_precision)[modality]
    kind = "little" if abs(gain) < LEAST_CHANGE else "raises" if gain > 0 else "lowers"
    return sentence(f"ALPHA0_{kind}", **told, alone=weight_figures(by_precision)[modality])


def comparison(before: Result, after: Result, was: LabState, state: LabState) -> Markup:
    """The sentence, both bars, the chain that leads to alpha, and the table; ``was`` is the state of ``before``."""
    told = most_moved(before, after)
    return render(
        "before_after.html",
        "comparison",
        changed=change_sentence(before, after, state != was),
        notes=hand_sentences(state, after),
        before=before,
        after=after,
        told=told,
        stacks=[stack_parts(before), stack_parts(after)],
        ears=_ears(before, after),
        chain=_chain(before, after, told),
        alpha0=alpha0_sentence(state, after, told),
        columns=column_heads(before).values(),
        rows=_rows(before, after),
        guess=_guess(before),
    )


def probabilities_table(before: Result, after: Result) -> Markup:
    """What both readings say of every emotion, folded."""
    return render("before_after.html", "probabilities", before, after)


def unknown_after(before: Result) -> Markup:
    """As ``comparison``, while the class still guesses what comes after."""
    return render(
        "before_after.html",
        "unknown_after",
        before,
        stack_parts(before),
        column_heads(before).values(),
        _rows(before, None),
        _guess(before),
    )


def _guess(result: Result) -> float:
    """Where on a bar of sigma^2 the mark of a blind guess is, 0 to 1."""
    return guess_variance(len(result.probabilities)) / SIGMA_FULL


def column_heads(result: Result) -> dict[str, tuple[str, str]]:
    """The table's heads; of several moments each has its alpha by the equation, the clip's is their mean."""
    heads = {name: tuple(head) for name, head in texts.LAB_COLUMNS.items()}
    if len(result.timeline.times) > 1:
        heads["alpha"] = (heads["alpha"][0], texts.LAB_ALPHA_OF_MOMENTS)
    return heads


def _ears(before: Result, after: Result) -> list[str]:
    """Who heard the voice before and after, where that is not the same."""
    heard = [before.speech_encoder, after.speech_encoder]
    return ["", ""] if heard[0] == heard[1] else [texts.EAR_SAID.format(name=ear_name(one)) for one in heard]


def _chain(before: Result, after: Result, modality: str) -> list[tuple[str, str | None, str | None]]:
    """From sigma^2 to alpha of one modality: (figure, before, after), ``None`` where it is absent."""
    readings = [(clip_means(result), weight_figures(result.alpha)) for result in (before, after)]

    def said(name: str, means: dict, shown: dict[str, str]) -> str | None:
        value = means[name][modality]
        return None if value is None else shown[modality] if name == "alpha" else figure(value, name)

    return [(name, said(name, *readings[0]), said(name, *readings[1])) for name in TABLE_FIGURES[:-1]]


def _rows(before: Result, after: Result | None) -> list[dict]:
    """What stands in the table: one row a modality, each cell as (before or after, known, value, as it is said)."""
    old, new = clip_means(before), clip_means(after) if after is not None else None
    known = [figures for figures in (old, new) if figures is not None]
    shown = [weight_figures(before.alpha), weight_figures(after.alpha) if after is not None else {}]
    largest = {
        name: max((abs(v) for d in known for v in d[name].values() if v is not None), default=1.0) or 1.0
        for name in ("precision", "shapley")
    } | {"alpha": 1.0, "alpha0": 1.0, "variance": SIGMA_FULL}

    def cell(when: str, means: dict | None, alpha: dict[str, str], name: str, modality: str) -> tuple:
        value = means[name][modality] if means else None
        said = None if value is None else alpha[modality] if name == "alpha" else figure(value, name)
        return when, means is not None, value, said

    return [
        {
            "modality": m,
            "absent": not (after or before).present[m],
            "alone": [
                ("before", True, before.per_modality[m]),
                ("after", after is not None, after.per_modality[m] if after is not None else None),
            ],
            "figures": [
                (
                    name,
                    largest[name],
                    [cell("before", old, shown[0], name, m), cell("after", new, shown[1], name, m)],
                )
                for name in TABLE_FIGURES
            ],
        }
        for m in MODALITIES
    ]
