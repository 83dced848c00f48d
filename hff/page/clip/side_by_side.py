"""Two readings side by side: one that was kept for it, and the one shown now, as HTML."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup

from hff.config import MODALITIES
from hff.lab.what_changed import LEAST_CHANGE
from hff.locale import names, sentence, texts
from hff.locale.lists import listed, paragraph
from hff.page.clip.report import source_html, source_name
from hff.page.shared.amounts import SIGMA_FULL, decimal, guess_variance, percent, weight_figures, weights
from hff.page.shared.cards import stack_parts
from hff.page.shared.render import render
from hff.result import Evidence, Result


def for_comparison(result: Result) -> Result:
    """Of a reading what a comparison shows: no sound, no attention, one face."""
    return replace(result, attention=None, evidence=Evidence(faces=result.evidence.faces[:1]))


def waiting_html(kept: Result) -> Markup:
    """What was kept, while there is nothing to compare it with."""
    said = texts.COMPARE_WAITING.format(
        name=source_name(kept),
        emotion=names.emotion(kept.emotion),
        percent=percent(kept.probabilities[kept.emotion]),
    )
    return render("side_by_side.html", "waiting", said)


def side_by_side_html(kept: Result, now: Result) -> Markup:
    """Both readings in the same places, and what differs in words; their labels need not be the same."""
    readings = [_reading(texts.COMPARE_KEPT, kept), _reading(texts.COMPARE_NOW, now)]
    return render("side_by_side.html", "both", difference_in_words(kept, now), readings, SIGMA_FULL)


def difference_in_words(kept: Result, now: Result) -> str:
    """What both answer; then which modalities only one of them has, or else the weight that differs most."""
    same = kept.emotion == now.emotion
    answer = sentence(
        "COMPARE_ANSWER_same" if same else "COMPARE_ANSWER_other",
        old_emotion=names.emotion(kept.emotion),
        emotion=names.emotion(now.emotion),
        before=percent(kept.probabilities[kept.emotion]),
        after=percent(now.probabilities[now.emotion]),
    )
    only_kept, only_now = _only_in(kept, now), _only_in(now, kept)
    if only_kept or only_now:
        return paragraph(
            answer,
            sentence("COMPARE_PARTS_kept", parts=only_kept) if only_kept else "",
            sentence("COMPARE_PARTS_now", parts=only_now) if only_now else "",
        )
    return paragraph(answer, _weights_apart(kept, now))


def _only_in(one: Result, other: Result) -> str:
    """The modalities that are in one reading and not in the other; empty for none."""
    return listed(names.modality(m, "the") for m in MODALITIES if one.present[m] and not other.present[m])


def _weights_apart(kept: Result, now: Result) -> str:
    """By the weights as they are shown: whoever reads the bars finds the same."""
    old, new = weights(kept.alpha), weights(now.alpha)
    most = max(MODALITIES, key=lambda m: (round(abs(new[m] - old[m]), 2), new[m]))
    if round(abs(new[most] - old[most]), 2) < LEAST_CHANGE:
        return sentence("COMPARE_WEIGHTS_little", least=decimal(LEAST_CHANGE))
    before, after = weight_figures(kept.alpha), weight_figures(now.alpha)
    return sentence("COMPARE_WEIGHTS_moved", of=names.modality(most, "of"), old=before[most], new=after[most])


def _reading(title: str, result: Result) -> dict:
    """What the template shows of one."""
    return {
        "title": title,
        "source": source_html(result),
        "words": result.transcript.text if result.transcript else "",
        "result": result,
        "stack": stack_parts(result),
        "guess": guess_variance(len(result.probabilities)),
    }
