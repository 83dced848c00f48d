"""A dialogue file in the Clip view: who says what, the emotion and the weights of each turn."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from hff.corpus import rows
from hff.corpus.clips import Clip, known_label
from hff.errors import Cancelled, HFFError
from hff.locale import texts, translate
from hff.media.dialogue_file import DialogueTurn, read_dialogue
from hff.page.clip.inputs import keep_local
from hff.page.session.asker import asker_address, asker_gone
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards
from hff.page.shared.render import render
from hff.result import Result

log = logging.getLogger(__name__)
DIALOGUE_SUFFIXES = [".csv", ".tsv", ".txt"]
Turns = Sequence[tuple[DialogueTurn, Result | HFFError]]


class DialogueView:
    """Builds the section inside the current ``gr.Blocks``; ``model``: the settings of an event that reads."""

    def __init__(self, engine: Engine, sessions: Sessions, model: dict) -> None:
        self.engine, self.sessions = engine, sessions
        with gr.Accordion(texts.DIALOGUE_TITLE, open=False, elem_id="hff-dialogue"):
            gr.HTML(cards.note(texts.DIALOGUE_NOTE))
            with gr.Row():
                self.file = gr.File(
                    label=texts.DIALOGUE_FILE,
                    file_types=DIALOGUE_SUFFIXES,
                    type="filepath",
                    height=110,
                    elem_id="hff-dialogue-file",
                )
                with gr.Column(scale=1, min_width=260):
                    self.with_clip = gr.Checkbox(label=texts.DIALOGUE_WITH_CLIP, elem_id="hff-dialogue-with-clip")
                    self.read = gr.Button(texts.DIALOGUE_READ, variant="primary", elem_id="hff-dialogue-read")
                    self.table = gr.DownloadButton(
                        texts.DIALOGUE_KEEP, interactive=False, elem_id="hff-dialogue-download"
                    )
            self.shown = gr.HTML(elem_id="hff-dialogue-shown", elem_classes="hff-scroll")
        keep_local(self.file)
        self.read.click(
            self._read,
            [self.file, self.with_clip],
            [self.shown, self.table],
            show_progress_on=self.shown,
            api_visibility="private",
            trigger_mode="once",
            **model,
        )

    @property
    def emptied(self) -> list:
        """What *Clear* empties, in the order of ``nothing``."""
        return [self.file, self.shown, self.table]

    @staticmethod
    def nothing() -> list:
        return [None, "", _no_table()]

    def _read(self, file: str | None, with_clip: bool, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        session = self.sessions.track(request.session_hash, [file])
        if not file:
            return cards.alert(texts.ERROR_TITLE, texts.DIALOGUE_NO_FILE), _no_table()
        if not Path(file).is_file():
            return cards.alert(texts.ERROR_TITLE, texts.FILE_GONE), _no_table()
        recording = session.recording if with_clip else None
        if with_clip and recording is None:
            return cards.alert(texts.ERROR_TITLE, texts.DIALOGUE_NO_CLIP), _no_table()

        def tell(share: float, what: str) -> None:
            progress(share, desc=translate(what))

        try:
            turns = read_dialogue(file)
            with self.engine.work(request.session_hash, asker_gone(), tell, asker_address()):
                read = list(self.engine.read_turns(turns, recording, tell, session.ear))
            name = Path(file).name
            made = session.make_file(
                f"{Path(file).stem}-emotions.csv", dialogue_csv(name, read, self.engine.config().labels)
            )
        except Cancelled as stopped:
            return cards.alert(texts.STOPPED_TITLE, translate(stopped), "warning"), _no_table()
        except HFFError as error:
            return cards.alert(texts.ERROR_TITLE, translate(error)), _no_table()
        except Exception as error:
            log.exception("reading a dialogue failed")
            return cards.alert(texts.ERROR_TITLE, texts.UNEXPECTED.format(kind=type(error).__name__)), _no_table()
        return dialogue_html(read, with_clip), gr.DownloadButton(value=made, interactive=True)


def dialogue_html(read: Turns, with_clip: bool) -> Markup:
    """The table of a dialogue that was read."""
    shown = [
        (turn, found, cards.stack_parts(found), None) if isinstance(found, Result) else (turn, None, [], found)
        for turn, found in read
    ]
    timed = any(turn.start is not None for turn, _ in read)
    notes = [texts.DIALOGUE_APART]
    if timed and not with_clip:
        notes.append(texts.DIALOGUE_WORDS_ALONE)
    if with_clip and not timed:
        notes.append(texts.DIALOGUE_NO_TIMES)
    return render("dialogue.html", "table", shown, any(turn.label for turn, _ in read), notes)


def dialogue_csv(name: str, read: Turns, labels: tuple[str, ...]) -> str:
    """The same as a table of the columns that ``hff analyze`` writes for a manifest."""
    options = rows.ReadOptions(files_only=False)
    out = io.StringIO()
    table = csv.DictWriter(
        out, rows.row_columns(labels, options, scored=False), extrasaction="ignore", lineterminator="\n"
    )
    table.writeheader()
    for turn, found in read:
        clip = Clip(name, turn.start, turn.end, turn.text, known_label(turn.label), turn.speaker)
        if isinstance(found, Result):
            row = rows.named_by(clip, options) | rows.short_row(found)
        else:
            row = rows.failed(clip, options, translate(found))
        table.writerow(rows.flat(row))
    return out.getvalue()


def _no_table() -> gr.DownloadButton:
    return gr.DownloadButton(value=None, interactive=False)
