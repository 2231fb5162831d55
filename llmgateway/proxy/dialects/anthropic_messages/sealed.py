"""Where opaque values of other vendors travel in this dialect, and how they are put back where they belong.

A `thinking` block has a signature and a `redacted_thinking` block has data: reasoning is wrapped into those. A signature on
another kind of part (Gemini signs texts and function calls) gets a `redacted_thinking` block of its own, whose kind says
which part it belongs to:

    part     the block that follows
    prior    the block before it: it became known when that one had been streamed already
    text     none: the part was an empty text that only carried the signature
"""

from __future__ import annotations

from llmgateway.proxy.conversation import seals
from llmgateway.proxy.conversation.parts import AnyPart, Json, Signature, Text
from llmgateway.proxy.conversation.seals import Sealed
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC

REASONING, REDACTED, PART, PRIOR, TEXT = "reasoning", "redacted", "part", "prior", "text"
THINKING_BLOCK, REDACTED_BLOCK = "thinking", "redacted_thinking"


def told(signature: Signature | None, kind: str) -> str:
    """The value for a block of reasoning: an own one as it is, another's wrapped, "" for none."""
    if signature is None:
        return ""
    return signature.value if signature.vendor == ANTHROPIC else seals.wrap(signature, kind)


def carrier(signature: Signature, kind: str) -> dict[str, Json]:
    """A block that only carries the signature of another part."""
    return {"type": REDACTED_BLOCK, "data": seals.wrap(signature, kind)}


def read(value: str) -> Sealed | None:
    """Whose value it is; None for ""."""
    if not value:
        return None
    return seals.unwrap(value) or Sealed(Signature(ANTHROPIC, value), "")


def signature_of(value: str) -> Signature | None:
    sealed = read(value)
    return sealed.signature if sealed is not None else None


def carried(block: Json) -> Sealed | None:
    """What a carrier carries; None when the block is no carrier."""
    if not isinstance(block, dict) or block.get("type") != REDACTED_BLOCK or not isinstance(block.get("data"), str):
        return None
    sealed = seals.unwrap(block["data"])
    return sealed if sealed is not None and sealed.kind in (PART, PRIOR, TEXT) else None


class Attaching:
    """Collects the parts of a message and gives each carried signature to its part."""

    __slots__ = ("_waiting", "parts")

    def __init__(self) -> None:
        self.parts: list[AnyPart] = []
        self._waiting: Signature | None = None

    def add(self, part: AnyPart) -> None:
        if self._waiting is not None:
            part.signature, self._waiting = self._waiting, None
        self.parts.append(part)

    def carry(self, sealed: Sealed, at: str) -> None:
        if sealed.kind == TEXT:
            self.parts.append(Text(text="", signature=sealed.signature, at=at))
        elif sealed.kind == PART:
            self._waiting = sealed.signature
        elif self.parts:
            self.parts[-1].signature = sealed.signature
