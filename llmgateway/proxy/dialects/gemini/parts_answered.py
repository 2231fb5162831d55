"""Writes the parts of an answer for a caller of this dialect."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import AnyPart, Audio, File, Image, Json, Reasoning, Refused, Special, Text, ToolCall
from llmgateway.proxy.dialects.gemini import media, results, signatures
from llmgateway.proxy.dialects.gemini.names import VENDOR

SOUND = "audio/wav"
"""What sound is taken for whose type nobody told: OpenAI chat's default."""


def shown_text(thought: Reasoning) -> str:
    return thought.text or "\n\n".join(thought.summary)


def parts_of(part: AnyPart) -> list[dict[str, Json]]:
    """[] for what this dialect has no word for: another vendor's own parts, and calls whose arguments are no object."""
    written = _write(part)
    if written and part.signature is not None:
        written[-1]["thoughtSignature"] = signatures.written(part.signature, part)
    return written


def _write(part: AnyPart) -> list[dict[str, Json]]:
    match part:
        case Text() | Refused():
            return [{"text": part.text}]
        case Reasoning():
            return [{"text": shown_text(part), "thought": True}]
        case ToolCall():
            call = function_call(part)
            return [call] if call is not None else []
        case Special(vendor=vendor, raw=raw) if vendor == VENDOR and isinstance(raw, dict):
            return [dict(raw)]
        case Image() | Audio() | File():
            return _write_medium(part)
        case _:
            return []


def _write_medium(part: media.Medium) -> list[dict[str, Json]]:
    """Sound that a model said stands with its words behind it: one part has place for one of them."""
    typed = part
    if isinstance(part, Audio) and not part.media_type:
        typed = Audio(data=part.data, url=part.url, media_type=SOUND)
    written = media.written(typed, lenient=True)
    said = [] if isinstance(written, media.Unwritable) else [written]
    if isinstance(part, Audio) and part.transcript:
        said.append({"text": part.transcript})
    return said


def function_call(call: ToolCall) -> dict[str, Json] | None:
    """None where the arguments are no JSON object, which a model that is cut off leaves behind."""
    arguments = {"input": call.arguments} if call.custom else results.object_of(call.arguments)
    if arguments is None:
        return None
    return {"functionCall": {**({"id": call.id} if call.id else {}), "name": call.name, "args": arguments}}
