"""Whether whoever asked for an answer still waits for it: closed tabs, lost connections, ended programs."""

from __future__ import annotations

import time
from collections.abc import Callable

from gradio.context import LocalContext

UNHEARD_SECONDS = 60.0  # s that messages to the asker lie about before it counts as gone


def asker_gone() -> Callable[[], bool] | None:
    """For the event of Gradio's that runs in this thread: a function that says whether its asker has left.

    Gradio marks an event dead when the connection closes that its answer would go over, and forgets it when the asker
    cancels it. Who posts a question over plain HTTP and never comes for the answer has no such connection: its
    messages lie in the queue. None outside of an event.
    """
    blocks, number = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    events = blocks._queue.event_ids_to_events if blocks is not None else {}
    event = events.get(number or "")
    if blocks is None or event is None:
        return None
    messages = blocks._queue.pending_messages_per_session
    heard = time.monotonic()

    def gone() -> bool:
        nonlocal heard
        waiting = messages.get(event.session_hash)
        if waiting is None or waiting.empty():
            heard = time.monotonic()
        return not event.alive or number not in events or time.monotonic() - heard > UNHEARD_SECONDS

    return gone


def asker_address() -> str | None:
    """Where the event of Gradio's that runs in this thread was asked from, as an IP address. None outside of one."""
    request = LocalContext.request.get(None)
    client = getattr(request, "client", None)
    return client.host if client is not None else None
