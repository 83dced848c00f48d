"""A worksheet to print: the set-up, what was before, blanks for what comes after, questions; the answers on a page of
their own. One HTML file that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path

from hff.config import MODALITIES
from hff.examples.ready import EXAMPLES
from hff.lab.comparison import clip_means
from hff.lab.lessons import Lesson
from hff.lab.state import COMPONENTS, YOURS, LabState
from hff.locale import language, names, sentence, texts
from hff.page.clip.report import STYLE
from hff.page.lab.before_after import what_changed
from hff.page.lab.lesson_view import equation_html
from hff.page.shared.cards import decimal, note, number, percent, text
from hff.page.shared.effects import points
from hff.page.shared.theme import FONTS, modality_css
from hff.result import Result

_STYLE = Path(__file__).parents[1] / "static" / "worksheet.css"


def worksheet(state: LabState, before: Result, after: Result, lesson: Lesson | None = None) -> str:
    """The whole page as text."""
    title = lesson.title if lesson else texts.WORKSHEET_TITLE
    style = "".join(path.read_text(encoding="utf-8") for path in (STYLE, _STYLE)) + modality_css()
    families = ", ".join(f"'{name}'" if " " in name else name for name in FONTS)
    front = (
        f"<h1>{text(title)}</h1><p>{text(texts.WORKSHEET_SUBTITLE)}</p>"
        f'<p class="names"><span>{text(texts.WORKSHEET_NAME)}</span><span>{text(texts.WORKSHEET_DATE)}</span></p>'
        f"<h2>{text(texts.WORKSHEET_SETUP)}</h2><ul>{_items(describe(state))}</ul>"
        f"<h2>{text(texts.WORKSHEET_BEFORE)}</h2>{_answer_line(before)}{_table(before)}"
        f"<h2>{text(texts.WORKSHEET_GUESS)}</h2>{_guess(lesson)}"
        f"<h2>{text(texts.WORKSHEET_AFTER)}</h2>{_blank_answer()}{_table(None)}"
        f"<h2>{text(texts.WORKSHEET_QUESTIONS)}</h2>{''.join(_question(q) for q in questions(state))}"
    )
    explained = (
        f"<p>{text(lesson.watch)}</p><p>{text(lesson.why)}</p>{equation_html(lesson)}" if lesson else ""
    )  # fmt: skip
    answers = (
        f'<section class="answers"><h2>{text(texts.WORKSHEET_ANSWERS)}</h2>{_answer_line(after)}{_table(after)}'
        f"<p>{text(what_changed(before, after))}</p>{_true_choices(lesson, before, after)}{explained}</section>"
    )
    return (
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{style}body{{font-family:{families}}}</style>"
        f"</head><body><main>{front}{answers}</main><footer>{note(texts.FOOTER)}</footer></body></html>"
    )


def describe(state: LabState) -> list[str]:
    """What is set up, in sentences."""
    example = next((e.title for e in EXAMPLES if e.key == state.source), None)
    lines = [texts.WORKSHEET_YOURS if state.source == YOURS else texts.WORKSHEET_EXAMPLE.format(title=example)]
    if state.text:
        lines.append(texts.WORKSHEET_TYPED.format(text=state.text))
    for modality in MODALITIES:
        done, name = state.damage[modality], names.modality(modality)
        if done.muted:
            lines.append(texts.WORKSHEET_MUTED.format(modality=name))
        elif done.severity > 0:
            kind = names.damage(done.kind)
            lines.append(texts.WORKSHEET_DAMAGE.format(modality=name, kind=kind, severity=percent(done.severity)))
    if state.alpha is not None:
        named = zip(MODALITIES, state.alpha, strict=True)
        weights = ", ".join(f"{names.modality(m)} {decimal(share)}" for m, share in named)
        lines.append(texts.WORKSHEET_ALPHA.format(weights=weights))
    off = [texts.LAB_PART_NAMES[part] for part in COMPONENTS if part in state.without]
    if off:
        lines.append(texts.WORKSHEET_WITHOUT.format(parts=", ".join(off)))
    lines.append(texts.WORKSHEET_SAMPLES.format(samples=state.samples))
    return lines


def questions(state: LabState) -> list[str]:
    """Questions that fit what was set up."""
    asked = [texts.WORKSHEET_QUESTION_CHAIN]
    hurt = [m for m in MODALITIES if state.damage[m].severity > 0 and not state.damage[m].muted]
    asked += [sentence("WORKSHEET_QUESTION_DAMAGE", of=names.modality(m, "of")) for m in hurt]
    if any(state.damage[m].muted for m in MODALITIES):
        asked.append(texts.WORKSHEET_QUESTION_MUTED)
    if state.alpha is not None:
        asked.append(texts.WORKSHEET_QUESTION_HAND)
    if state.without:
        asked.append(texts.WORKSHEET_QUESTION_WITHOUT)
    return [*asked, texts.WORKSHEET_QUESTION_SHAPLEY]


def _items(lines: list[str]) -> str:
    return "".join(f"<li>{text(line)}</li>" for line in lines)


def _answer_line(result: Result) -> str:
    share = percent(result.probabilities[result.emotion])
    return f"<p>{text(texts.WORKSHEET_ANSWER)} <b>{text(names.emotion(result.emotion))}</b>, {share}</p>"


def _blank_answer() -> str:
    return f"<p>{text(texts.WORKSHEET_ANSWER)} ______________________ ,  ________ %</p>"


def _table(result: Result | None) -> str:
    """The figures of every modality, or blanks to fill in."""
    names = [name for name in texts.LAB_COLUMNS if name != "alone"]
    head = "".join(
        f"<th>{text(texts.LAB_COLUMNS[n][0])} <small>{text(texts.LAB_COLUMNS[n][1])}</small></th>" for n in names
    )
    figures = clip_means(result) if result else {}
    rows = ""
    for modality in MODALITIES:
        cells = "".join(f"<td>{_figure(n, figures[n][modality]) if result else '&nbsp;'}</td>" for n in names)
        rows += f"<tr><th>{text(names.modality(modality))}</th>{cells}</tr>"
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return texts.ABSENT
    return points(value) if name == "shapley" else number(value) if name == "variance" else decimal(value)


def _guess(lesson: Lesson | None) -> str:
    if lesson is None:
        return f"<p>{text(texts.WORKSHEET_GUESS_NOTE)}</p>{_lines(2)}"
    boxes = "".join(f'<li><span class="box"></span>{text(choice.text)}</li>' for choice in lesson.choices)
    return f'<p>{text(lesson.question)}</p><ul class="choices">{boxes}</ul>'


def _true_choices(lesson: Lesson | None, before: Result, after: Result) -> str:
    if lesson is None:
        return ""
    came = zip(lesson.choices, lesson.right(before, after), strict=True)
    true = ", ".join(choice.text for choice, true in came if true) or texts.LESSON_NONE_TRUE
    return f"<p>{text(texts.WORKSHEET_TRUE)} <b>{text(true)}</b></p>"


def _question(question: str) -> str:
    return f'<div class="question"><p>{text(question)}</p>{_lines(2)}</div>'


def _lines(count: int) -> str:
    return '<div class="line"></div>' * count
