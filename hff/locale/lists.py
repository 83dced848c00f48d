"""Lists within a sentence, and sentences one after the other, as the language of the moment joins them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hff.locale.catalogue import lookup


def listed(parts: Iterable[str]) -> str:
    """Names or figures one after the other; empty for none."""
    first, *more = list(parts) or [""]
    joined: Mapping[str, str] = lookup("LISTED")
    for number, part in enumerate(more, 2):
        last = number == len(more) + 1
        how = ("two" if number == 2 else "last") if last else "between"
        first = joined[how].format(before=first, after=part)
    return first


def paragraph(*sentences: str) -> str:
    """Whole sentences one after the other; empty ones are left out."""
    return " ".join(filter(None, sentences))
