"""The names the page goes by, and the sites whose pages may use it.

A site of an attacker can make its own name point to this machine once a visitor has opened it; the browser then takes
our page for that site's (DNS rebinding). So a request has to call us by a name that is ours. And any page can send
requests to any address; its browser says in ``Origin`` where that page comes from.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hff.errors import HFFError
from hff.locale import say

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = frozenset({"0.0.0.0", "::", ""})  # hosts that mean every address of this machine
_PORTS = {"http": 80, "https": 443}


def origin_of(address: str) -> str:
    """ "https://Name.example:443/" -> "https://name.example": how browsers write where a page comes from.

    Raises ``HFFError`` if it is not the address of a site.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise HFFError(say("serve.frame", given=address))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


@dataclass
class Names:
    """The names this page goes by. ``host`` is what it listens on; ``origins`` are other sites that may use it."""

    host: str
    origins: frozenset[str] = frozenset()
    also: set[str] = field(default_factory=set)  # known only once the page runs: a tunnel's
    frames: frozenset[str] = frozenset()  # sites that may show the page within theirs, and nothing else

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = (), frames: Iterable[str] = ()) -> Names:
        """Raises ``HFFError`` if one of ``allowed`` or ``frames`` is not the address of a site."""
        sites, around = (frozenset(map(origin_of, addresses)) for addresses in (allowed, frames))
        return cls(host.strip("[]").lower(), sites, frames=around)

    def know(self, host: str, own_address: str | None) -> bool:
        """Whether a ``Host`` header means us. ``own_address``: where on this machine the request came in."""
        name = _name(host)
        if name is None:
            return False
        return (
            name in _LOCAL
            or name in self.also
            or (name == self.host and name not in _ANY)
            or any(name == urlsplit(origin).hostname for origin in self.origins)
            or (own_address is not None and _same_address(name, own_address))
            or (self.host in _ANY and name in _machine_names())
        )

    def trust(self, origin: str, host: str, schemes: set[str]) -> bool:
        """Whether a page from ``origin`` may use us: our own, which came from ``host``, or one that was named."""
        try:
            origin = origin_of(origin)
        except HFFError:  # "null" too: a page from a file, or in a sandbox
            return False
        own = {scheme: f"{scheme}://{host}" for scheme in schemes & _PORTS.keys()}
        return origin in self.origins or any(origin == origin_of(address) for address in own.values())


def _name(host: str) -> str | None:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name.rstrip(".") if name else None


def _same_address(name: str, own: str) -> bool:
    try:
        one, other = ipaddress.ip_address(name), ipaddress.ip_address(own)
    except ValueError:
        return False
    return one == (getattr(other, "ipv4_mapped", None) or other)


def _machine_names() -> set[str]:
    """This computer's own, without asking any name server; ".local" is what the others on the network may use."""
    own = socket.gethostname().lower()
    return {own, own.split(".")[0], f"{own.split('.')[0]}.local"}
