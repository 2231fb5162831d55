"""Envelope for secrets at rest: AES-256-GCM with a data key per value, wrapped by the house's sealing key.

Layout of a sealed value: 1 byte version, 8 bytes id of the sealing key, 12 bytes nonce and 48 bytes of wrapped data
key, 12 bytes nonce, ciphertext with tag. The associated data binds a value to its table, row and column, so that a
ciphertext copied to another row does not open.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
_HEAD = 1 + 8
_WRAPPED = 12 + 32 + 16


class SealError(Exception):
    """A sealed value that can't be opened: another key, another row, or not a sealed value."""


class Sealer:
    """Seals with the first key, opens with any: put a new key first to rotate."""

    def __init__(self, *keys: bytes) -> None:
        if not keys or any(len(key) != 32 for key in keys):
            raise ValueError("a sealing key is 32 bytes")
        self._keys = {hashlib.sha256(b"customhouse seal" + key).digest()[:8]: AESGCM(key) for key in keys}
        self._current = next(iter(self._keys))

    def seal(self, secret: str, *, bound_to: str) -> bytes:
        """`bound_to` names the place, e.g. `llmgateway.provider:7:credential`."""
        aad = bound_to.encode()
        data_key, wrap_nonce, nonce = os.urandom(32), os.urandom(12), os.urandom(12)
        wrapped = self._keys[self._current].encrypt(wrap_nonce, data_key, aad)
        return b"".join((VERSION, self._current, wrap_nonce, wrapped, nonce, AESGCM(data_key).encrypt(nonce, secret.encode(), aad)))

    def open(self, sealed: bytes, *, bound_to: str) -> str:
        """Raises SealError."""
        if len(sealed) < _HEAD + _WRAPPED + 12 + 16 or sealed[:1] != VERSION:
            raise SealError("not a sealed value")
        wrapper = self._keys.get(sealed[1:_HEAD])
        if wrapper is None:
            raise SealError("sealed with a key that is not here")
        aad = bound_to.encode()
        wrapped, rest = sealed[_HEAD : _HEAD + _WRAPPED], sealed[_HEAD + _WRAPPED :]
        try:
            data_key = wrapper.decrypt(wrapped[:12], wrapped[12:], aad)
            return AESGCM(data_key).decrypt(rest[:12], rest[12:], aad).decode()
        except InvalidTag as error:
            raise SealError("sealed for another place, or altered") from error
