"""Other vendors' signatures, wrapped into `encrypted_content` of reasoning items, and back.

Kinds beyond those of `conversation.seals`: `thought` carries the readable text beside the signature, because Codex sends a
reasoning item back without its content and the vendor wants both; `after` is a signature of the part before it, which in a
stream is known only when that part has been told.
"""

from __future__ import annotations

import base64
import binascii

from llmgateway.proxy.conversation.parts import Reasoning, Signature
from llmgateway.proxy.conversation.seals import unwrap, wrap
from llmgateway.proxy.dialects.openai_responses.names import NAME

THOUGHT, AFTER, BEFORE, REDACTED = "thought", "after", "part", "redacted"


def seal(part: Reasoning) -> str | None:
    """What stands in `encrypted_content` of this part's item; None when nothing does."""
    signature = part.signature
    if signature is None or signature.vendor == NAME:
        return signature.value if signature is not None else None
    if part.redacted:
        return wrap(signature, REDACTED)
    if not part.text:
        return wrap(signature, "reasoning")
    text = base64.urlsafe_b64encode(part.text.encode("utf-8", "surrogatepass")).decode()
    return wrap(Signature(signature.vendor, f"{text}.{signature.value}"), THOUGHT)


def seal_after(signature: Signature) -> str:
    return wrap(signature, AFTER)


def unseal(part: Reasoning) -> tuple[Reasoning, str]:
    """The part as it was before it was sealed, and the kind of the seal ("" when it is no wrapped one)."""
    sealed = unwrap(part.signature.value) if part.signature is not None else None
    if sealed is None:
        return part, ""
    signature, kind = sealed
    text = part.text or "".join(part.summary)
    if kind == THOUGHT:
        text, signature = _thought(signature, text)
    redacted = kind == REDACTED
    opened = Reasoning(text="" if redacted else text, redacted=redacted, signature=signature, at=part.at)
    return opened, kind


def _thought(signature: Signature, text: str) -> tuple[str, Signature]:
    packed, _, value = signature.value.partition(".")
    try:
        text = base64.urlsafe_b64decode(packed.encode()).decode("utf-8", "surrogatepass")
    except (binascii.Error, UnicodeError):
        return text, signature
    return text, Signature(signature.vendor, value)
