"""The page's inputs: video, sound, picture, words, each by upload, by recording or typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from hff.config import MAX_CHARACTERS
from hff.examples.ready import EXAMPLES
from hff.locale import language, speaking, texts
from hff.locale.lists import listed
from hff.page.shared import cards

_HEIGHT = 236  # pixels of a video or picture input, so that all inputs fit a 768 pixel screen
LONGEST_RECORDING = 120  # s after which a film that is being recorded ends by itself
_SCRIPT = Path(__file__).parents[1] / "static" / "clip.js"


@dataclass
class Inputs:
    """The input components, in the order in which events hand them on."""

    video: gr.Video
    audio: gr.Audio
    image: gr.Image
    text: gr.Textbox
    transcribe: gr.Checkbox
    media_tabs: gr.Tabs

    @property
    def values(self) -> list:
        return [self.video, self.audio, self.image, self.text, self.transcribe]


def build_inputs(transcribe: bool) -> Inputs:
    """Lay the inputs out; ``transcribe`` False leaves the recognition of words out altogether."""
    with gr.Tabs(elem_id="hff-media") as media_tabs:
        with gr.Tab(texts.TAB_VIDEO, id="video"):
            video = _video_input()
        with gr.Tab(texts.TAB_AUDIO, id="audio"):
            audio = _audio_input()
        with gr.Tab(texts.TAB_IMAGE, id="image"):
            image = _image_input()
    text = gr.Textbox(
        label=texts.TEXT_LABEL,
        placeholder=texts.TEXT_HINT,
        lines=2,
        max_lines=4,
        elem_id="hff-text",
        max_length=MAX_CHARACTERS,
    )
    recognise = gr.Checkbox(
        value=transcribe, label=texts.TRANSCRIBE, visible=transcribe, container=False, elem_id="hff-transcribe"
    )
    for component in (video, audio, image):
        keep_local(component)
    gr.HTML(
        js_on_load=_SCRIPT.read_text(encoding="utf-8"),
        clock=texts.RECORDING_CLOCK,
        longest=LONGEST_RECORDING,
        sources=dict(texts.SOURCES),
        elem_classes="hff-script",
    )
    return Inputs(video, audio, image, text, recognise, media_tabs)


def _video_input() -> gr.Video:
    # format=None and include_audio keep Gradio from calling ffmpeg, which need not be there.
    return gr.Video(
        label=texts.VIDEO_LABEL,
        sources=["upload", "webcam"],
        format=None,
        include_audio=True,
        webcam_options=gr.WebcamOptions(mirror=False),
        height=_HEIGHT,
        buttons=[],
        elem_id="hff-video",
        show_label=False,
    )


def _audio_input() -> gr.Audio:
    return gr.Audio(
        label=texts.AUDIO_LABEL,
        sources=["upload", "microphone"],
        type="filepath",
        format=None,
        buttons=[],
        elem_id="hff-audio",
        show_label=False,
    )


def _image_input() -> gr.Image:
    return gr.Image(
        label=texts.IMAGE_LABEL,
        sources=["upload", "webcam"],
        type="filepath",
        image_mode=None,
        webcam_options=gr.WebcamOptions(mirror=False),
        height=_HEIGHT,
        buttons=[],
        elem_id="hff-image",
        show_label=False,
    )


def build_examples() -> list[gr.Button]:
    """One small button for each ready example."""
    gr.HTML(texts.EXAMPLES_TITLE, elem_classes="hff-small-title")
    with gr.Row(elem_id="hff-examples"):
        return [gr.Button(example.title, size="sm", variant="secondary") for example in EXAMPLES]


def status_line(inputs: dict[str, str | None], origin: str = "", stale: bool = False) -> Markup:
    """What Analyse would read, an example's origin, and whether the report beside it is ``stale``: of other inputs."""
    given = [name for name in texts.INPUT_NAMES if (inputs.get(name) or "").strip()]
    reminder = cards.stale(texts.STALE) if stale else Markup()
    if not given:
        return reminder + cards.status(texts.NOTHING_GIVEN, texts.PRIVACY)
    return reminder + cards.status(
        texts.WILL_READ.format(parts=listed(texts.INPUT_NAMES[name] for name in given)),
        texts.AUDIO_REPLACES if {"video", "audio"} <= set(given) else "",
        texts.IMAGE_UNUSED if {"video", "image"} <= set(given) else "",
        origin,
    )


def keep_local(component) -> None:
    """Take only uploaded files: given an address, Gradio would fetch it from the network."""
    move = component.async_move_resource_to_block_cache

    async def move_local(path):
        if path is not None and "://" in str(path):
            raise _fault(texts.NOT_A_FILE.format(what=component.label))
        try:
            return await move(path)
        except OSError as error:  # an example is copied, and the disk may be full
            raise _fault(texts.FILE_NOT_KEPT) from error

    component.async_move_resource_to_block_cache = speaking(language(), move_local)  # no event's function
    # Gradio would open and convert what it takes for a picture; reading files is the pipeline's part,
    # which says what is wrong with a bad one.
    component.preprocess = lambda payload: _uploaded(payload.path, component) if payload is not None else None


def _uploaded(path: str | None, component) -> str | None:
    """The path, if it lies where uploads do. Raises ``gr.Error``."""
    if path is not None and Path(component.GRADIO_CACHE).resolve() not in Path(path).resolve().parents:
        raise _fault(texts.NOT_A_FILE.format(what=component.label))
    return path


def _fault(message: str) -> gr.Error:
    return gr.Error(message, title=texts.ERROR_TITLE, print_exception=False)
