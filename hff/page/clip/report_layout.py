"""The components of the Clip view's report, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from hff.config import MAX_CHARACTERS
from hff.locale import texts
from hff.page.shared import cards


@dataclass
class Report:
    """The report's components."""

    answer: gr.HTML
    side_by_side: gr.HTML
    keep: gr.Button
    release: gr.Button
    sections: gr.Column
    explain: gr.Checkbox
    explained: gr.HTML
    timeline: gr.HTML
    layer: gr.Radio
    head: gr.Radio
    attention: gr.HTML
    alone: gr.HTML
    transcript: gr.Textbox
    transcript_note: gr.HTML
    rerun: gr.Button
    downloads: dict[str, gr.DownloadButton]


def build_report() -> Report:
    answer = gr.HTML(cards.empty(), elem_id="hff-answer", min_height=330)
    side_by_side = gr.HTML(elem_id="hff-side-by-side")
    with gr.Row(elem_id="hff-compare-buttons"):
        keep = gr.Button(texts.COMPARE_KEEP, visible=False, elem_id="hff-keep")
        release = gr.Button(texts.COMPARE_RELEASE, visible=False, elem_id="hff-release")
    with gr.Column(visible=False, elem_id="hff-report") as sections, gr.Tabs(elem_id="hff-sections"):
        with gr.Tab(texts.SECTION_TIME, id="time"):
            explain = gr.Checkbox(label=texts.EXPLAIN, container=False, elem_id="hff-explain")
            explained = gr.HTML(elem_id="hff-explained")
            timeline = gr.HTML(elem_id="hff-timeline", min_height=300)
        with gr.Tab(texts.SECTION_ATTENTION, id="attention"):
            layer = gr.Radio([], label=texts.LAYER, elem_id="hff-layer")
            head = gr.Radio([], label=texts.HEAD, elem_id="hff-head")
            attention = gr.HTML(elem_id="hff-attention", min_height=300)
        with gr.Tab(texts.SECTION_ALONE, id="alone"):
            alone = gr.HTML(elem_id="hff-alone")
        with gr.Tab(texts.SECTION_WORDS, id="words"):
            transcript_note = gr.HTML()
            transcript = gr.Textbox(
                label=texts.TRANSCRIPT_LABEL, lines=3, max_lines=10, elem_id="hff-transcript", max_length=MAX_CHARACTERS
            )
            rerun = gr.Button(texts.RERUN, variant="primary", elem_id="hff-rerun")
        with gr.Tab(texts.SECTION_KEEP, id="keep"):
            gr.HTML(cards.note(texts.KEEP_NOTE))
            with gr.Row():
                downloads = {
                    kind: gr.DownloadButton(label, interactive=False, elem_id=f"hff-download-{kind}", min_width=200)
                    for kind, label in texts.DOWNLOADS.items()
                }
    return Report(
        answer=answer,
        side_by_side=side_by_side,
        keep=keep,
        release=release,
        sections=sections,
        explain=explain,
        explained=explained,
        timeline=timeline,
        layer=layer,
        head=head,
        attention=attention,
        alone=alone,
        transcript=transcript,
        transcript_note=transcript_note,
        rerun=rerun,
        downloads=downloads,
    )
