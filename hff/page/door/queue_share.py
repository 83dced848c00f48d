"""Gradio's queue is everybody's: who has taken half of its places waits until they are worked off."""

from __future__ import annotations

import re
from typing import Any

from hff.locale import texts
from hff.page.door.uploads import Refused

_JOINS = re.compile(r"/gradio_api/(queue/join|call/[^/]+)/?$")


def check_share(path: str, address: str, blocks: Any) -> None:
    """Raise ``Refused`` if a message to ``path`` would give an address more than half of the places.

    ``blocks``: the ``gradio.Blocks`` whose queue it is. Events that are being worked on take no place.
    """
    queue = blocks._queue
    if not _JOINS.search(path) or not queue.max_size:
        return
    waiting = [event for places in queue.event_queue_per_concurrency_id.values() for event in places.queue]
    own = sum(event.request is not None and _address(event.request) == address for event in waiting)
    if own >= queue.max_size // 2:
        raise Refused(429, texts.QUEUE_SHARE.format(count=own))


def is_known(event: str, blocks: Any) -> bool:
    """Whether the queue has a question of that number, or an answer to it that nobody has fetched yet."""
    queue = blocks._queue
    answers = queue.pending_event_ids_session
    return event in queue.event_ids_to_events or event in answers or any(event in ids for ids in answers.values())


def _address(request: Any) -> str | None:
    return request.client.host if request.client is not None else None
