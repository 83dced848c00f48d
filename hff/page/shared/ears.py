"""Which speech encoder hears the voice: its name for a person, and the switch where there is a choice."""

from __future__ import annotations

import gradio as gr

from hff.locale import texts


def ear_name(speech_encoder: str) -> str:
    """A speech encoder as a person reads it; one that no catalogue names keeps its own name."""
    return texts.EAR_NAMES.get(speech_encoder, speech_encoder)


def ear_choice(ears: tuple[str, ...], elem_id: str) -> gr.Radio:
    """A switch between speech encoders, the first one chosen; not to be seen, and "", where there is only one."""
    several = len(ears) > 1
    return gr.Radio(
        [(ear_name(ear), ear) for ear in ears] if several else [("", "")],
        value=ears[0] if several else "",
        label=texts.EAR,
        visible=several,
        elem_id=elem_id,
        elem_classes="hff-ear",
    )
