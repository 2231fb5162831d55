"""Sessions of the legacy era: an upstream's session id, sealed for one principal and one server.

The house keeps no table of sessions. The id that a caller gets holds the upstream's id, sealed under the house's key
and bound to who opened it and where, so any worker can serve it, a restart does not end it, and for anybody else, or
on another server, it does not open: then it is answered as unknown. An upstream session is never shared.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict

import msgspec

from dataplane.errors import NotFound
from dataplane.sealing import Sealer, SealError

MAX_HELD = 4096
MAX_ID = 4096
"""Characters of a session id; an upstream's own id may take about two thirds of it."""


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """One session at one upstream address. `version` is the protocol version that `initialize` agreed on."""

    upstream: str
    url: str
    version: str = ""


_decoder = msgspec.json.Decoder(Session)
_encode = msgspec.json.Encoder().encode


class Sessions:
    """Seals and opens session ids; the last ones used are held, so that most calls need no cryptography."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._held: OrderedDict[tuple[str, str], Session] = OrderedDict()

    def issue(self, session: Session, *, principal: str, slug: str) -> str:
        sealed = self._sealer.seal(_encode(session).decode(), bound_to=_place(principal, slug))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def find(self, text: str, *, principal: str, slug: str, url: str) -> Session:
        """Raises NotFound alike for an id that never was, one of another principal or server, and one whose server has
        moved to another address since."""
        place = _place(principal, slug)
        session = self._held.get((place, text))
        if session is None:
            session = self._held[place, text] = self._open(text, place)
            if len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
        if session.url != url:
            raise unknown_session()
        return session

    def _open(self, text: str, place: str) -> Session:
        if len(text) > MAX_ID:
            raise unknown_session()
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return _decoder.decode(self._sealer.open(sealed, bound_to=place))
        except (SealError, binascii.Error, ValueError):
            raise unknown_session() from None


def unknown_session() -> NotFound:
    return NotFound("The session is unknown or has ended: initialize again.", code="session_not_found")


def _place(principal: str, slug: str) -> str:
    return f"mcp.session:{slug}:{principal}"
