"""A worksheet to print, one page a lesson: both set-ups, what was before, blanks for what comes after, questions; the
answers together behind. One HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from hff.config import MODALITIES, HFFConfig
from hff.examples.ready import EXAMPLES
from hff.lab.comparison import TABLE_FIGURES, clip_means
from hff.lab.lesson import Lesson
from hff.lab.state import COMPONENTS, SNAPSHOT, YOURS, LabState
from hff.locale import names, sentence, texts
from hff.locale.lists import listed, paragraph
from hff.page.clip.report import STYLE
from hff.page.lab.before_after import change_sentence, column_heads
from hff.page.shared.amounts import percent, weight_figures
from hff.page.shared.ears import ear_name
from hff.page.shared.render import render
from hff.page.shared.theme import colours_css, css_fonts
from hff.result import Result

_STYLE = Path(__file__).parents[1] / "static" / "worksheet.css"


def worksheet(
    state: LabState,
    before: Result,
    after: Result,
    lesson: Lesson | None = None,
    was: LabState | None = None,
    eps: float = HFFConfig.precision_eps,
) -> str:
    """The whole page; ``was`` is the state of ``before`` where that is not ``state.untouched``.

    ``eps``: equation (19)'s, of the model that read.
    """
    title = lesson.title if lesson else texts.WORKSHEET_TITLE
    return _page(title, [_sheet(state, before, after, lesson, was or state.untouched, eps)])


def worksheets(read: Iterable[tuple[Lesson, Result, Result]], eps: float = HFFConfig.precision_eps) -> str:
    """One page to print with the sheets of many lessons, then the answers to all of them."""
    sheets = [_sheet(lesson.state, before, after, lesson, lesson.before, eps) for lesson, before, after in read]
    return _page(texts.WORKSHEET_TITLE, sheets)


def _page(title: str, sheets: list[dict]) -> str:
    style = "".join(path.read_text(encoding="utf-8") for path in (STYLE, _STYLE)) + colours_css()
    fonts = Markup(css_fonts())
    return str(render("worksheet.html", "page", title=title, sheets=sheets, style=Markup(style), fonts=fonts))


def _sheet(state: LabState, before: Result, after: Result, lesson: Lesson | None, was: LabState, eps: float) -> dict:
    """What stands on one sheet and in its answers."""
    came = zip(lesson.choices, lesson.right(before, after), strict=True) if lesson else ()
    longer = max(before, after, key=lambda result: len(result.timeline.times))
    heads = column_heads(longer)
    return {
        "title": lesson.title if lesson else texts.WORKSHEET_TITLE,
        "lesson": lesson,
        "setups": [(texts.LAB_BEFORE, describe(was)), (texts.LAB_AFTER, describe(state))],
        "samples": list(dict.fromkeys(texts.WORKSHEET_SAMPLES.format(samples=of.samples) for of in (was, state))),
        "questions": questions(state, eps, moments=len(longer.timeline.times)),
        "before": _reading(before),
        "after": _reading(after),
        "columns": {name: heads[name] for name in TABLE_FIGURES},
        "changed": change_sentence(before, after, state != was),
        "came_true": [choice.text for choice, true in came if true],
    }


def _reading(result: Result) -> dict:
    """The answer, its probability and one row of figures a modality."""
    means = clip_means(result)
    rows = {m: {name: values[m] for name, values in means.items()} for m in MODALITIES}
    return {"emotion": result.emotion, "share": result.probabilities[result.emotion], "rows": rows}


def describe(state: LabState) -> list[str]:
    """What is set up, in sentences; the draws, which are alike before and after, are said once on the sheet."""
    example = next((e.title for e in EXAMPLES if e.key == state.source), None)
    own = {YOURS: texts.WORKSHEET_YOURS, SNAPSHOT: texts.WORKSHEET_SNAPSHOT}
    lines = [own.get(state.source) or texts.WORKSHEET_EXAMPLE.format(title=example)]
    if state.text:
        lines.append(texts.WORKSHEET_TYPED.format(text=state.text))
    for modality in MODALITIES:
        done, name = state.corruption[modality], names.modality(modality)
        if done.muted:
            lines.append(texts.WORKSHEET_MUTED.format(modality=name))
        elif done.severity > 0:
            kind = names.corruption_name(done.kind)
            lines.append(texts.WORKSHEET_CORRUPTION.format(modality=name, kind=kind, severity=percent(done.severity)))
    if state.alpha is not None:
        named = zip(MODALITIES, state.alpha, strict=True)
        lines.append(texts.WORKSHEET_ALPHA.format(weights=weights_said(dict(named))))
    if state.speech_encoder:
        lines.append(texts.WORKSHEET_EAR.format(name=ear_name(state.speech_encoder)))
    off = [texts.LAB_PART_NAMES[part] for part in COMPONENTS if part in state.without]
    if off:
        lines.append(texts.WORKSHEET_WITHOUT.format(parts=listed(off)))
    if len(lines) == 1:
        lines.append(texts.WORKSHEET_UNCHANGED)
    return lines


def weights_said(alpha: Mapping[str, float]) -> str:
    """The weights of the modalities, one after the other."""
    return listed(
        texts.ONE_WEIGHT.format(modality=names.modality(m), weight=said) for m, said in weight_figures(alpha).items()
    )


def questions(state: LabState, eps: float = HFFConfig.precision_eps, moments: int = 1) -> list[str]:
    """Questions that fit what was set up; ``moments``: of the longer reading.

    w of a clip follows from its sigma^2, its alpha only nearly from its alpha0 and w: see ``clip_means``.
    """
    chain = sentence("WORKSHEET_QUESTION_CHAIN", eps=eps)
    weighs = state.alpha is None and "dynamic_weighting" not in state.without
    asked = [paragraph(chain, texts.WORKSHEET_ALPHA_NEARLY) if moments > 1 and weighs else chain]
    hurt = [m for m in MODALITIES if state.corruption[m].severity > 0 and not state.corruption[m].muted]
    if hurt:
        asked.append(sentence("WORKSHEET_QUESTION_CORRUPTION", of=listed(names.modality(m, "of") for m in hurt)))
    if any(state.corruption[m].muted for m in MODALITIES):
        asked.append(texts.WORKSHEET_QUESTION_MUTED)
    if state.alpha is not None:
        asked.append(texts.WORKSHEET_QUESTION_HAND)
    if state.without:
        asked.append(texts.WORKSHEET_QUESTION_WITHOUT)
    return [*asked, texts.WORKSHEET_QUESTION_SHAPLEY]
