"""The page's texts as attributes, in the language of the moment: ``texts.TITLE``.

Look them up when they are shown, not when a module is imported: only then the language is known.
"""

from __future__ import annotations

from typing import Any

from hff.locale.catalogue import lookup


def __getattr__(name: str) -> Any:
    if not name.isupper():
        raise AttributeError(name)
    try:
        return lookup(name)
    except KeyError:
        raise AttributeError(f"no catalogue has the text {name!r}") from None
