"""The lab's actions for other programs, with names that stay: ``lab_rerun`` and ``lab_sweep``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import gradio as gr

from hff.errors import HFFError, InputError
from hff.lab.comparison import clip_means
from hff.lab.state import YOURS, LabState
from hff.lab.sweep_points import POINTS, severities
from hff.locale import texts
from hff.page.clip.clip_view import MODEL
from hff.page.clip.inputs import Inputs
from hff.page.lab.before_after import change_sentence
from hff.page.lab.workbench import Workbenches
from hff.page.session.asker import asker_address, asker_gone
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.result import Result

if TYPE_CHECKING:
    from hff.lab.lab import Lab


def build_lab_api(engine: Engine, sessions: Sessions, benches: Workbenches, inputs: Inputs) -> None:
    """``/lab_rerun``: state, video, audio, image -> before, after and what changed.

    ``/lab_sweep``: state, modality, points, video, audio, image -> the points so far, again and again.
    ``state`` is JSON as ``LabState.to_dict`` gives it; every part of it may be missing. Files replace its source.
    """

    def opened(state: object, files: dict, request: gr.Request) -> tuple[Lab, LabState]:
        sessions.track(request.session_hash, files.values())
        asked = LabState.from_dict({} if state is None else state)
        if any(files.values()):
            with engine.work(request.session_hash, asker_gone(), address=asker_address()):
                recording = engine.read(files, not asked.text)
            return benches.new_lab(recording), asked.but(source=YOURS)
        return benches.lab(request.session_hash, asked.source), asked

    def rerun(state, video, audio, image, request: gr.Request) -> dict:
        """Damage a recording in the weighting lab, and see how the weights of voice, words and face answer.

        Parameters:
            state: what is done, as "Keep as a file" writes it: {"damage": {"vision": {"kind": "dark", "severity": 1}}}
            video: a clip to damage in place of the lab's own.
            audio: a sound in its place.
            image: a picture in its place.
        Returns:
            The reading before and after, and one sentence on what changed.
        """
        try:
            with sessions.answering(request.session_hash):
                lab, asked = opened(state, {"video": video, "audio": audio, "image": image}, request)
                with engine.guest():
                    before, after = lab.infer(asked.untouched), lab.infer(asked)
        except HFFError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return {
            "state": asked.to_dict(),
            "before": reading_summary(before),
            "after": reading_summary(after),
            "changed": change_sentence(before, after, asked != asked.untouched),
        }

    def sweep(state, modality, points, video, audio, image, request: gr.Request) -> Iterator[dict]:
        """Damage one modality of a recording step by step, and read it at each.

        Parameters:
            state: what else is done in the lab, and with which kind of damage the modality is damaged.
            modality: which one.
            points: how many steps, from unharmed to the worst.
            video: a clip to damage in place of the lab's own.
            audio: a sound in its place.
            image: a picture in its place.
        Returns:
            The points, each with its severity, the emotion and every weight.
        """
        rows = []
        try:
            with sessions.answering(request.session_hash):
                files = {"video": video, "audio": audio, "image": image}
                sessions.track(request.session_hash, files.values())  # a wrong question's files go as well
                steps = severities(modality, points)
                lab, asked = opened(state, files, request)
                for point in lab.sweep(asked, modality, steps):
                    rows.append(point.row())
                    yield {"state": asked.to_dict(), "modality": modality, "points": list(rows)}
            if not rows:
                raise InputError(texts.SWEEP_NOTHING)
        except HFFError as error:
            raise gr.Error(str(error), print_exception=False) from error

    asked, answer = gr.JSON(visible=False, label="state"), gr.JSON(visible=False)
    modality = gr.Textbox(visible=False, label="modality")
    points = gr.Number(POINTS, precision=0, visible=False, label="points")
    points.preprocess = lambda payload: payload  # Gradio would round it, and fail in words of its own
    files = [inputs.video, inputs.audio, inputs.image]
    gr.Button(visible=False).click(rerun, [asked, *files], answer, api_name="lab_rerun", **MODEL)
    gr.Button(visible=False).click(sweep, [asked, modality, points, *files], answer, api_name="lab_sweep", **MODEL)


def reading_summary(result: Result) -> dict:
    """A reading's clip means, JSON-ready; ``None`` where a modality is absent."""
    return {
        "emotion": result.emotion,
        "probabilities": result.probabilities,
        "spread": result.spread,
        "per_modality": result.per_modality,
        "present": result.present,
        "transcript": result.transcript.text if result.transcript else None,
        **clip_means(result),
        "alpha": result.alpha,
        "speech_encoder": result.speech_encoder,
        "warnings": result.warnings,
    }
