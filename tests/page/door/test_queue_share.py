"""Gradio's queue, half full of one address's questions."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest

from hff.page.door.queue_share import check_share
from hff.page.door.uploads import Refused

JOIN = "/gradio_api/queue/join"
MINE, YOURS = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def page():
    """A page with a queue of eight places, where four of one address wait already."""
    with gr.Blocks() as page:
        gr.Button().click(lambda: None)
    page.queue(max_size=8)
    (event,) = page.fns.values()
    page._queue.create_event_queue_for_fn(event)
    (places,) = page._queue.event_queue_per_concurrency_id.values()
    places.queue += [SimpleNamespace(request=SimpleNamespace(client=SimpleNamespace(host=MINE)))] * 4
    return page


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/call/analyze"])
def test_one_address_takes_no_more_than_half(page, path):
    with pytest.raises(Refused, match="4 questions from this address wait already") as refused:
        check_share(path, MINE, page)
    assert refused.value.status == 429


def test_others_are_let_in_and_so_is_what_does_not_wait(page):
    check_share(JOIN, YOURS, page)
    check_share("/gradio_api/component_server/", MINE, page)


def test_there_is_room_again_when_some_are_answered(page):
    (places,) = page._queue.event_queue_per_concurrency_id.values()
    places.queue.pop()
    check_share(JOIN, MINE, page)
