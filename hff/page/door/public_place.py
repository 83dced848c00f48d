"""Where visitors find the page, if a proxy in front has put it under a path of its own site.

A proxy at ``https://school.example/hff/`` hands requests on with that path or without it; both are understood. What it
may say in ``X-Forwarded-Host`` counts only if that name is ours (``gate``); no header moves the page to another path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from hff.errors import HFFError
from hff.locale import languages, say
from hff.page.door.gate import ADMITTED, LOGIN
from hff.page.door.host_names import origin_of
from hff.page.door.languages import lead, moved

_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True)
class PublicPlace:
    """``path``: "" or as "/hff"; ``site``: as "https://school.example" where it was told, else what requests say."""

    path: str = ""
    site: str | None = None

    @classmethod
    def of(cls, told: str) -> PublicPlace:
        """From "/hff", "https://school.example/hff" or "". Raises ``HFFError`` for anything else."""
        told = told.strip()
        site, told_path = None, told
        if "://" in told:
            scheme, _, rest = told.partition("://")
            host, slash, behind = rest.partition("/")
            site, told_path = origin_of(f"{scheme}://{host}"), slash + behind
        path = told_path.rstrip("/")
        if {".", ".."} & set(path.split("/")) or (path and not _PATH.fullmatch(path)):
            raise HFFError(say("serve.place", given=told))
        if path.lstrip("/").partition("/")[0] in _taken():
            raise HFFError(say("serve.path_taken", path=path))
        return cls(path, site)


NO_PROXY = PublicPlace()


class UnderPath:
    """The outermost of all: what comes with the path goes on without it, as if there were no proxy."""

    def __init__(self, app: ASGIApp, place: PublicPlace) -> None:
        self.app, self.place = app, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = self.place.path
        if scope["type"] == "http":
            if root and scope["path"] == root:
                await lead(send, f"{root.rpartition('/')[2]}/", scope["query_string"])
                return
            if root and scope["path"].startswith(f"{root}/"):
                scope = moved(scope, scope["path"].removeprefix(root), "")
            if self.place.site is not None:
                scope = _at(scope, self.place.site)
        await self.app(scope, receive, send)


def _at(scope: Scope, site: str) -> Scope:
    """The request as if the proxy had said that it came to ``site``; whatever it said itself does not count."""
    scheme, _, host = site.partition("://")
    told = ((b"x-forwarded-host", host.encode()), (b"x-forwarded-proto", scheme.encode()))
    names = {name for name, _ in told}
    return {**scope, "headers": [header for header in scope["headers"] if header[0].lower() not in names] + [*told]}


def _taken() -> set[str]:
    """First parts of the addresses that the page itself has."""
    return {template.split("/")[1].partition("{")[0] for template in (*ADMITTED, LOGIN)} - {""} | set(languages())
