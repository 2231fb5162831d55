"""Parts of an answer to content blocks for a caller. What only its maker can read is wrapped, so that it comes back."""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    File,
    Image,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
)
from llmgateway.proxy.dialects.anthropic_messages import citations, sealed
from llmgateway.proxy.dialects.anthropic_messages.blocks_in import INVALID, told_picture
from llmgateway.proxy.dialects.anthropic_messages.blocks_out import Block, input_of
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC


class Told(NamedTuple):
    """`block` is None for a part that says nothing here; `before` carries the signature of the part."""

    block: Block | None
    before: Block | None = None

    @property
    def blocks(self) -> list[Block]:
        return [block for block in (self.before, self.block) if block is not None]


def told(part: AnyPart) -> Told:
    match part:
        case Reasoning():
            return Told(reasoning(part, part.signature))
        case ToolCall():
            return _signed(part, call(part, part.arguments))
        case Special(vendor=vendor, raw=raw):
            return Told(dict(raw) if vendor == ANTHROPIC else None)
        case Text(text="", signature=Signature() as signature):
            return Told(sealed.carrier(signature, sealed.TEXT))
        case _:
            text = text_of(part)
            return _signed(part, text_block(part, text) if text else None)


def _signed(part: AnyPart, block: Block | None) -> Told:
    if part.signature is None or block is None:
        return Told(block)
    return Told(block, sealed.carrier(part.signature, sealed.PART))


def text_of(part: AnyPart) -> str:
    """What a part says in a dialect whose models only write: a picture and a sound are told as a link that holds them."""
    match part:
        case Text() | Refused():
            return part.text
        case Image():
            return told_picture(part)
        case Audio():
            return part.transcript or (f"[audio](data:{part.media_type};base64,{part.data})" if part.data else part.url)
        case File():
            return part.text or part.url or f"[{part.title or 'file'}](data:{part.media_type};base64,{part.data})"
        case _:
            return ""


def text_block(part: AnyPart, text: str) -> Block:
    block: Block = {"type": "text", "text": text}
    if isinstance(part, Text) and part.citations:
        block["citations"] = [citations.write(citation) for citation in part.citations]
    return block


def call(part: ToolCall, arguments: str) -> Block:
    value = input_of(arguments)
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": {INVALID: arguments} if value is None else value}


def reasoning(part: Reasoning, signature: Signature | None) -> Block | None:
    if part.redacted:
        return None if signature is None else {"type": "redacted_thinking", "data": sealed.told(signature, sealed.REDACTED)}
    text = part.text or SUMMARY_GAP.join(part.summary)
    if not text and signature is None:
        return None
    return {"type": "thinking", "thinking": text, "signature": sealed.told(signature, sealed.REASONING)}


SUMMARY_GAP = "\n\n"
"""Between the pieces of a summary, which this dialect tells as one text."""
