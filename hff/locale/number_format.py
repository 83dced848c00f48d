"""Numbers by a language's rules (Unicode CLDR, through Babel)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_percent

MINUS = "−"  # as long as the plus; CLDR has a hyphen in most languages


@cache
def _locale(name: str) -> Locale:
    """A language's rules; English ones for a language that Babel has never heard of."""
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@cache
def _symbols(name: str) -> tuple[str, str]:
    """Decimal and group sign."""
    symbols = _locale(name).number_symbols["latn"]
    return symbols["decimal"], symbols["group"]


def localised(figure: str, name: str) -> str:
    """A number as Python writes it ("-1,234.50") with the signs of a language ("−1.234,50"), the minus a real one."""
    decimal, group = _symbols(name)
    return figure.translate({ord("."): decimal, ord(","): group, ord("-"): MINUS})


def fixed_point(value: float, places: int, name: str) -> str:
    """``value`` with a fixed number of places."""
    return localised(f"{value:.{places}f}", name)


def percentage(share: float, places: int, name: str) -> str:
    """A share as percent with a fixed number of places: "84.5%", "84,5 %" with a space at which no line is broken."""
    pattern = re.sub("[#,]*0", f"0.{'0' * places}".rstrip("."), _locale(name).percent_formats[None].pattern)
    return format_percent(share, pattern, locale=_locale(name)).replace("-", MINUS)


def plural(forms: Mapping[str, str], count: float, name: str) -> str:
    """Which of an entry's ``forms`` goes with ``count``, by CLDR's plural categories: "one", "few", "other" ..."""
    return forms.get(_locale(name).plural_form(count), forms["other"])
