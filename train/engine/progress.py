"""How far a loop over many items is, and how long it will still take: a line now and then."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import TypeVar

FIRST_SECONDS = 5.0  # before the first line
EVERY_SECONDS = 20.0  # between two lines

Item = TypeVar("Item")


def progress(items: Collection[Item], name: str) -> Iterator[Item]:
    """The items, with lines "NAME 12/500, 3.2 min left"; one that is done before the first line says nothing."""
    begun = time.monotonic()
    due = begun + FIRST_SECONDS
    for number, item in enumerate(items):
        now = time.monotonic()
        if number and now >= due:
            print(f"{name} {number}/{len(items)}, {left(begun, number, len(items))}", flush=True)
            due = now + EVERY_SECONDS
        yield item


def left(begun: float, done: int, all_of_them: int) -> str:
    """ "3.2 min left" of work that began at ``begun`` (``time.monotonic``), if it goes on as until now."""
    return f"{(time.monotonic() - begun) / done * (all_of_them - done) / 60:.1f} min left"
