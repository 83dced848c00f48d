"""Sharing a lab state: as a link, as a small file, and as a worksheet to print."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import gradio as gr

from hff.errors import InputError
from hff.lab.lesson import Lesson
from hff.lab.state import OWN, LabState
from hff.locale import texts
from hff.locale.lists import listed
from hff.page.clip.inputs import keep_local
from hff.page.lab.workbench import check_source
from hff.page.shared.cards import note
from hff.page.shared.ears import ear_name

PARAMETER = "lab"  # of the page's address
LESSON_PARAMETER = "lesson"
STATE_FILE_NAME = "lab-state.json"
WORKSHEET_NAME = "worksheet.html"
WORKSHEETS_NAME = "worksheets.html"
_MAX_FILE = 100_000  # bytes; a state has a few hundred


class SharePanel:
    """The components of the Share tab; the lab's view connects them."""

    def __init__(self) -> None:
        self.link = gr.Textbox(
            label=texts.SHARE_LINK, interactive=False, buttons=["copy"], lines=2, max_lines=3, elem_id="hff-lab-link"
        )
        gr.HTML(note(texts.SHARE_LINK_NOTE))
        self.save = gr.DownloadButton(texts.SHARE_SAVE, interactive=False, elem_id="hff-lab-save")
        self.open = gr.UploadButton(texts.SHARE_OPEN, file_types=[".json"], type="filepath", elem_id="hff-lab-open")
        keep_local(self.open)
        gr.HTML(note(texts.SHARE_FILE_NOTE))
        self.worksheet = gr.DownloadButton(texts.SHARE_WORKSHEET, interactive=False, elem_id="hff-lab-worksheet")
        gr.HTML(note(texts.SHARE_WORKSHEET_NOTE))
        self.make_all = gr.Button(texts.SHARE_ALL, elem_id="hff-lab-all")
        self.all = gr.DownloadButton(texts.SHARE_ALL_FILE, visible=False, elem_id="hff-lab-all-file")

    @property
    def outputs(self) -> list:
        return [self.link, self.save, self.worksheet]


def link(state: LabState, request: gr.Request, lesson: Lesson | None = None) -> str:
    """The address of the same state, or of a lesson at its question; a sentence for the visitor's own recording."""
    if state.source in OWN:
        return texts.SHARE_NO_LINK
    headers = request.headers
    here = headers.get("origin") or f"{request.request.url.scheme}://{headers.get('host', 'localhost')}"
    if lesson is not None:
        return f"{here}/?{LESSON_PARAMETER}={lesson.key}"
    return f"{here}/?{PARAMETER}={quote(state.to_json(), safe='')}"


def lesson_from_address(request: gr.Request) -> str:
    """The key of the lesson in the page's address, or ""."""
    return request.query_params.get(LESSON_PARAMETER) or ""


def state_from_address(request: gr.Request, ears: tuple[str, ...]) -> LabState | None:
    """The state in the page's address, or ``None``. Raises ``InputError`` for one that cannot be read here.

    ``ears``: the speech encoders that there are weights for.
    """
    text = request.query_params.get(PARAMETER)
    return _checked(LabState.from_json(text), ears) if text else None


def state_from_file(path: str | None, ears: tuple[str, ...]) -> LabState:
    """The state in a file; ``ears`` as above. Raises ``InputError``."""
    try:
        if not path or Path(path).stat().st_size > _MAX_FILE:
            raise InputError(texts.SHARE_NO_STATE)
        text = Path(path).read_text(encoding="utf-8-sig")  # editors on Windows put a mark in front
    except (OSError, ValueError) as error:
        raise InputError(texts.SHARE_NO_STATE) from error
    return _checked(LabState.from_json(text), ears)


def _checked(state: LabState, ears: tuple[str, ...]) -> LabState:
    check_source(state.source)
    if state.speech_encoder and state.speech_encoder not in ears:
        known = listed(ear_name(ear) for ear in ears)
        raise InputError(texts.EAR_NOT_HERE.format(name=ear_name(state.speech_encoder), known=known))
    return state
