"""Which language a visitor asks for: the one chosen before, else the browser's."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

COOKIE = "hff-language"  # remembers a choice


def wanted(headers: Headers, names: tuple[str, ...], otherwise: str) -> str:
    """Of the languages ``names``; ``otherwise`` where a request asks for none of them."""
    before = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    return before if before in names else preferred(headers.get("accept-language", ""), names, otherwise)


def preferred(accepted: str, names: tuple[str, ...], otherwise: str) -> str:
    """The first of the languages in an ``Accept-Language`` header, by their weights, that is among ``names``."""
    weighed = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        try:
            share = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            share = 0.0
        if share > 0:
            weighed.append((-share, tag.strip().lower().split("-")[0]))
    found = (tag for _, tag in sorted(weighed, key=lambda pair: pair[0]) if tag in names)
    return next(found, otherwise)
