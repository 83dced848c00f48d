"""What the Clip view's inputs refuse, said in the language of the page."""

from __future__ import annotations

import asyncio

import gradio as gr
import pytest

from hff.locale import using
from hff.page.clip.inputs import build_inputs


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "“Picture of a face” was not understood: it has to be an uploaded file."),
        ("de", "„Bild eines Gesichts“ wurde nicht verstanden: Es muss eine hochgeladene Datei sein."),
    ],
)
def test_an_address_in_place_of_a_file_is_refused_by_the_name_of_the_input(language: str, sentence: str):
    with using(language), gr.Blocks():
        image = build_inputs(transcribe=True).image
    with pytest.raises(gr.Error) as caught:
        asyncio.run(image.async_move_resource_to_block_cache("https://example.org/face.png"))
    assert caught.value.message == sentence
