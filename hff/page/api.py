"""The page's actions for other programs, with names that stay: ``gradio_client`` calls them over HTTP."""

from __future__ import annotations

import gradio as gr

from hff.errors import HFFError
from hff.page.clip.clip_view import MODEL
from hff.page.clip.inputs import Inputs
from hff.page.session.asker import asker_address, asker_gone
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions


def build_api(engine: Engine, sessions: Sessions, inputs: Inputs) -> None:
    """``/analyze``: video, audio, image, text, transcribe -> ``Result.to_dict()``, as the Python API gives it."""

    def analyze(video, audio, image, text, transcribe, request: gr.Request) -> dict:
        """Read the emotion of a clip, a sound, a picture or words, and how much each of them counted.

        Parameters:
            video: a clip with a face, a voice or both.
            audio: a voice, in place of the clip's.
            image: a picture of a face.
            text: what was said, in English; if it is given, it is not recognised from the voice.
            transcribe: whether to recognise the words from the voice.
        Returns:
            The emotion and all probabilities, alpha (the weight) and variance (how unsure) of each, and the timeline.
        """
        given = {"video": video, "audio": audio, "image": image, "text": text}
        with sessions.answering(request.session_hash):
            sessions.track(request.session_hash, [video, audio, image])
            try:
                with engine.work(request.session_hash, asker_gone(), address=asker_address()):
                    return engine.analyze(given, transcribe).to_dict()
            except HFFError as error:
                raise gr.Error(str(error), print_exception=False) from error

    answer = gr.JSON(visible=False)
    gr.Button(visible=False).click(analyze, inputs.values, answer, api_name="analyze", **MODEL)
