"""`thoughtSignature`: an opaque value on any part. It is a field of bytes, so the official SDK decodes it from base64 and
encodes it again (it replays with the alphabet for addresses): what is another vendor's travels as base64 of its seal.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from llmgateway.proxy.conversation.parts import AnyPart, Reasoning, Signature
from llmgateway.proxy.conversation.seals import BASE64_MARK, Sealed, unwrap, wrap
from llmgateway.proxy.dialects.gemini.names import VENDOR

UNCHECKED = base64.b64encode(b"skip_thought_signature_validator").decode()
"""Google's value for a call that no Gemini model made: models from 3 on refuse a step whose first call is unsigned."""


class Read(NamedTuple):
    """`kind` is what a seal was attached to, "" for the dialect's own signature."""

    signature: Signature | None
    kind: str


def read(value: str | None) -> Read:
    if value is None:
        return Read(None, "")
    sealed = _unseal(value) if value.startswith(BASE64_MARK) else None
    return Read(sealed.signature, sealed.kind) if sealed is not None else Read(Signature(VENDOR, value), "")


def _unseal(value: str) -> Sealed | None:
    plain = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return unwrap(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None


def written(signature: Signature, part: AnyPart) -> str:
    """The value for a caller: an own signature as it is, a foreign one sealed."""
    if signature.vendor == VENDOR:
        return signature.value
    kind = ("redacted" if part.redacted else "reasoning") if isinstance(part, Reasoning) else "part"
    return base64.b64encode(wrap(signature, kind).encode()).decode()
