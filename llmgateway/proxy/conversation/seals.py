"""Signatures of one vendor on their way through a caller that speaks another vendor's dialect.

A caller replays what it was given. So what only its maker can read is wrapped into a value that fits the caller's dialect
(`ch1.<vendor>.<kind>.<value>`) and unwrapped when it comes back. `kind` says what it was attached to: `reasoning`,
`redacted`, or `part` (a signature on the part that follows, as Gemini signs function calls and texts).
"""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.proxy.conversation.parts import Signature

MARK = "ch1."
BASE64_MARK = "Y2gxL"
"""The same in dialects whose signatures are bytes (Gemini's)."""


class Sealed(NamedTuple):
    signature: Signature
    kind: str


def wrap(signature: Signature, kind: str) -> str:
    return f"{MARK}{signature.vendor}.{kind}.{signature.value}"


def unwrap(text: str) -> Sealed | None:
    """None when the text is no wrapped signature: then it is the dialect's own."""
    if not text.startswith(MARK):
        return None
    vendor, dot, rest = text[len(MARK) :].partition(".")
    kind, second, value = rest.partition(".")
    return Sealed(Signature(vendor, value), kind) if dot and second else None
