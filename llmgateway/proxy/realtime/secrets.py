"""Client secrets: what a page or a phone may open connections with, for a while, without holding a key.

A provider's own would lead its holder around the house, so the house makes them itself: `ek_ch_…`, sealed under a key that
is derived from the server's pepper. Nothing is stored. In it are the key that it stands for (by digest), the model, the moment at which it
ends, and the session's configuration, which the house sends as the first `session.update` of each connection that is opened with it. It
is worth no more than its key: when that is revoked, expires or loses the grant, so does the secret, and running connections are cut.

Two limits follow from that nothing is stored: a single secret can't be revoked, and the configuration has to fit into a header.
"""

from __future__ import annotations

import hmac
import os
import time
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dataplane.errors import BadRequest
from dataplane.principal import invalid_key
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot

PREFIX = "ek_ch_"
SHORTEST, LONGEST, USUAL = 10, 7200, 600
"""Seconds that a secret may last, and those that it does when its maker says nothing (OpenAI's API reference)."""

MOST = 7_000
"""Characters of a secret: servers and proxies refuse a header past 8 KiB."""

_NONCE = 12


class Secret(msgspec.Struct, array_like=True):
    digest: bytes
    model: str
    expires_at: int
    session: dict[str, msgspec.Raw]


_decoder = msgspec.json.Decoder(Secret)


class ExpiresAfter(msgspec.Struct):
    seconds: Annotated[int, msgspec.Meta(ge=SHORTEST, le=LONGEST)] = USUAL
    anchor: str = "created_at"


_expiries = msgspec.json.Decoder(ExpiresAfter | None)


def lifetime(raw: msgspec.Raw | None) -> int:
    """Seconds, of `expires_after`. Raises BadRequest."""
    if raw is None:
        return USUAL
    try:
        asked = _expiries.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = f"The field expires_after must be an object with seconds from {SHORTEST} to {LONGEST}."
        raise BadRequest(text, param="expires_after", code="invalid_value") from None
    if asked is None:
        return USUAL
    if asked.anchor != "created_at":
        raise BadRequest("The only anchor is created_at.", param="expires_after.anchor", code="invalid_value")
    return int(asked.seconds)


def seal(pepper: bytes, secret: Secret) -> str:
    """Raises BadRequest for a configuration that does not fit."""
    nonce = os.urandom(_NONCE)
    sealed = nonce + _cipher(pepper).encrypt(nonce, zlib.compress(msgspec.json.encode(secret), 9), PREFIX.encode())
    text = PREFIX + urlsafe_b64encode(sealed).rstrip(b"=").decode()
    if len(text) > MOST:
        message = "The session's configuration is too large for a client secret; send the rest as session.update."
        raise BadRequest(message, param="session", code="session_too_large")
    return text


def opened(pepper: bytes, text: str) -> Secret:
    """Raises Unauthorized alike for what is none, what was altered and what has ended."""
    try:
        encoded = text[len(PREFIX) :].encode("ascii")
        sealed = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
        packed = _cipher(pepper).decrypt(sealed[:_NONCE], sealed[_NONCE:], PREFIX.encode())
    except (ValueError, InvalidTag):
        raise invalid_key() from None
    secret = _decoder.decode(zlib.decompress(packed))
    if secret.expires_at <= time.time():
        raise invalid_key()
    return secret


def parent(snapshot: Snapshot, secret: Secret) -> KeyRecord:
    """The key that it stands for. Raises Unauthorized when that is not valid any more."""
    record = snapshot.key(secret.digest)
    if record is None or expired(record):
        raise invalid_key()
    return record


def expired(key: KeyRecord) -> bool:
    return key.expires_at is not None and key.expires_at <= time.time()


def _cipher(pepper: bytes) -> AESGCM:
    return AESGCM(hmac.digest(pepper, b"customhouse client secrets", "sha256"))
