"""Lists within a sentence, and sentences one after the other, by a language's rules (Unicode CLDR, through Babel)."""

from __future__ import annotations

from collections.abc import Iterable

from babel.lists import format_list

from hff.locale.catalogue import language
from hff.locale.number_format import rules


def listed(parts: Iterable[str]) -> str:
    """Names or figures one after the other, in the language of the moment; empty for none."""
    return format_list(list(parts), locale=rules(language()))


def paragraph(*sentences: str) -> str:
    """Whole sentences one after the other; empty ones are left out."""
    return " ".join(filter(None, sentences))
