"""From a key to who is calling: one digest, one look-up, one comparison of instants. No I/O."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping

from dataplane.errors import Unauthorized
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot

BEARER = b"bearer "
KEY_HEADERS = (b"x-api-key", b"x-goog-api-key", b"api-key")


def digest(pepper: bytes, key: str | bytes) -> bytes:
    """HMAC-SHA256 of the whole key text under the server's pepper: 32 bytes, the only form in which a key is kept."""
    return hmac.digest(pepper, key.encode() if isinstance(key, str) else key, "sha256")


def presented_key(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The key in whichever header the caller's SDK sends it. `headers` has lower-case names."""
    value = headers.get(b"authorization")
    if value is not None and value[:7].lower() == BEARER:
        return value[7:].strip()
    for name in KEY_HEADERS:
        value = headers.get(name)
        if value is not None:
            return value.strip()
    return None


def invalid_key() -> Unauthorized:
    """The one answer for a key that is wrong, revoked or expired."""
    return Unauthorized("The API key is not valid: it is unknown, revoked or expired.")


def identify(snapshot: Snapshot, pepper: bytes, headers: Mapping[bytes, bytes]) -> KeyRecord:
    """Raises Unauthorized alike for no key, a wrong one, a revoked one and an expired one.

    The look-up compares digests keyed with a secret pepper, so its timing says nothing about a key's text."""
    presented = presented_key(headers)
    if presented:
        record = snapshot.key(hmac.digest(pepper, presented, "sha256"))
        if record is not None and (record.expires_at is None or record.expires_at > time.time()):
            return record
        raise invalid_key()
    raise Unauthorized("No API key was sent. Use the Authorization header: Bearer ch_…", code="missing_api_key")
