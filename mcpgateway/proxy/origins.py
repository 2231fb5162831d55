"""Which web pages may call: a browser says the page's origin, and one that is not the house's own is refused.

This is what stops a page that has rebound its name to the house's address (DNS rebinding): then Origin and Host agree
with each other, but not with the names that the house is known by.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from mcpgateway.proxy.refusals import foreign_origin

ANY = "*"


class Origins:
    """`public_url` is the house's address; `hosts` are further names it answers to, without ports, `*` for any."""

    def __init__(self, *, public_url: str, hosts: tuple[str, ...] = ()) -> None:
        own = urlsplit(public_url).hostname
        self._any = ANY in hosts
        self._hosts = frozenset(name.strip("[]").lower() for name in (*hosts, own or ""))

    def check(self, *, origin: str | None, host: str | None) -> None:
        """Raises HouseError 403. A caller that is no browser sends no origin and passes."""
        if origin is None or self._any:
            return
        try:
            named = urlsplit(origin).hostname, urlsplit(f"//{host or ''}").hostname
        except ValueError:
            raise foreign_origin() from None
        if any(name is None or name.lower() not in self._hosts for name in named):
            raise foreign_origin()
