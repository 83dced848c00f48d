"""What the Clip view's events give back: values for the inputs, and for all that an analysis shows."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from hff.examples.ready import EXAMPLES, Example
from hff.locale import texts
from hff.page.clip import report
from hff.page.clip.side_by_side import side_by_side_html, waiting_html
from hff.page.session.sessions import Session
from hff.page.shared import cards
from hff.result import Result

HEADS_APART = "every"  # in place of the number of one head


def example_filled(example: Example) -> tuple:
    """The inputs with an example in them."""
    kinds = ("video", "audio", "image")
    tab = next((kind for kind in kinds if getattr(example, kind)), "video")
    return (*(example.path(kind) for kind in kinds), example.text, gr.Tabs(selected=tab))


def no_report(answer: str, kept: Result | None = None) -> tuple:
    """An answer without a report: values for what an analysis shows."""
    return (
        answer,
        gr.Column(visible=False),
        "",
        texts.TRANSCRIPT_NOTE["none"],
        "",
        "",
        *_kept_alone(kept),
        *no_files(),
    )


def _kept_alone(kept: Result | None) -> tuple:
    """Values for what shows the kept reading, and the buttons that keep one and let go of it, without another one."""
    shown = waiting_html(kept) if kept is not None else ""
    return shown, gr.Button(visible=False), gr.Button(visible=kept is not None)


def beside_kept(session: Session, now: Result | None) -> tuple:
    """Values for what shows the kept reading and for its buttons, with ``now`` beside it if that is another one."""
    kept = session.kept
    if now is None or (kept is not None and session.kept_of is not None and session.kept_of() is now):
        return _kept_alone(kept)
    shown = side_by_side_html(kept, now) if kept is not None else ""
    return shown, gr.Button(visible=True), gr.Button(visible=kept is not None)


def asked_for(inputs: dict[str, str | None], transcribe: bool) -> dict[str, object]:
    """All that an analysis of these inputs depends on; words are recognised only in sound without typed ones."""
    recognised = transcribe and not (inputs["text"] or "").strip() and bool(inputs["video"] or inputs["audio"])
    return {kind: value for kind, value in (inputs | {"recognised": recognised}).items() if value}


def no_files() -> list[gr.DownloadButton]:
    """The downloads while there is nothing to take."""
    return [gr.DownloadButton(value=None, interactive=False) for _ in texts.DOWNLOADS]


def failed_reading(session: Session, message: str) -> tuple:
    """An analysis that ended in an error: its sentence in the report's place."""
    return alerted(session, cards.alert(texts.ERROR_TITLE, message))


def alerted(session: Session, alert: str) -> tuple:
    """An alert in the report's place: there is nothing that could be of other inputs."""
    session.asked = None
    return no_report(alert, session.kept)


def report_of(session: Session, result: Result) -> tuple:
    """Values for what an analysis shows; figures and files, which take a while, follow by events of their own."""
    words, source = (result.transcript.text, result.transcript.source) if result.transcript else ("", None)
    layers, heads = result.attention.shape[:2] if result.attention is not None else (0, 0)
    return (
        report.reading_html(result),
        gr.Column(visible=True),
        words,
        cards.note(texts.TRANSCRIPT_NOTE[source or "none"]),
        gr.Radio(choices=_numbered(texts.ALL_LAYERS, layers), value=""),
        gr.Radio(choices=[*_numbered(texts.ALL_HEADS, heads), (texts.EVERY_HEAD, HEADS_APART)], value=""),
        *beside_kept(session, result),
        *no_files(),
    )


def _numbered(first: str, count: int) -> list[tuple[str, str]]:
    return [(first, ""), *((str(number + 1), str(number)) for number in range(count))]


def example_origin(inputs: dict[str, str | None]) -> str:
    """The origin of the ready example that the inputs hold, if they hold one."""
    names = {kind: Path(path).name if (path := inputs.get(kind)) else None for kind in ("video", "audio", "image")}
    for example in EXAMPLES:
        same = all(getattr(example, kind) == name for kind, name in names.items())
        if same and (inputs.get("text") or "") == example.text:
            return example.origin
    return ""
