"""Writes one part of a conversation for Google, telling what of it can't be said."""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.gemini import media, results
from llmgateway.proxy.dialects.gemini.names import VENDOR

NO_ARGUMENTS = "its arguments are no JSON object"
_LACKS = {Image: "image", Audio: "audio", File: "file"}


class Scene(NamedTuple):
    """What writing a part needs to know of all the rest. `names` are the functions' names by the ids of their calls, `own`
    says that the request came in this dialect, `made` are the ids that no caller wrote."""

    target: Target
    losses: Losses
    names: dict[str, str]
    own: bool
    made: frozenset[str]


def write_part(part: AnyPart, scene: Scene) -> dict[str, Json] | None:
    """None where the part is left out; why was told."""
    if part.cache is not None:
        scene.losses.hint(f"{part.at}.cache_control")
    written = _write(part, scene)
    if written is not None and part.signature is not None and part.signature.vendor == VENDOR:
        written["thoughtSignature"] = part.signature.value
    return written


def _write(part: AnyPart, scene: Scene) -> dict[str, Json] | None:
    match part:
        case Text():
            if part.citations:
                scene.losses.hint(f"{part.at}.citations")
            return {"text": part.text}
        case Refused():
            return {"text": part.text}
        case Image() | Audio() | File():
            return _write_medium(part, scene)
        case ToolCall():
            return _write_call(part, scene)
        case ToolResult():
            return _write_result(part, scene)
        case Reasoning():
            return _write_thought(part, scene)
        case Special():
            if part.vendor == VENDOR and isinstance(part.raw, dict):
                return dict(part.raw)
            scene.losses.drop(part.at, f"a part of kind {part.kind} is another vendor's own")
            return None


def _write_medium(part: media.Medium, scene: Scene) -> dict[str, Json] | None:
    facts, losses = scene.target.facts, scene.losses
    kind = _LACKS[type(part)]
    if kind in facts.lacks or (part.url and f"{kind}_url" in facts.lacks):
        losses.drop(part.at, f"its vendor takes no {kind}")
        return None
    written = media.written(part, lenient=scene.own)
    if isinstance(written, media.Unwritable):
        losses.drop(part.at, written.why)
        return None
    if isinstance(part, Image) and part.detail not in ("", "auto"):
        losses.hint(f"{part.at}.detail")
    if isinstance(part, File) and part.context:
        losses.drop(f"{part.at}.context")
    if isinstance(part, File) and part.citations:
        losses.drop(f"{part.at}.citations", "citations of a document can not be asked for")
    return written


def _write_call(call: ToolCall, scene: Scene) -> dict[str, Json] | None:
    if call.custom:
        scene.losses.drop(call.at, "a tool's input must be a JSON object")
        return None
    arguments = results.object_of(call.arguments)
    if arguments is None:
        scene.losses.drop(call.at, NO_ARGUMENTS)
        return None
    return {"functionCall": {**_id(call.id, scene), "name": call.name, "args": arguments}}


def _id(call_id: str, scene: Scene) -> dict[str, Json]:
    return {"id": call_id} if call_id and call_id not in scene.made else {}


def _write_result(result: ToolResult, scene: Scene) -> dict[str, Json] | None:
    if result.custom:
        scene.losses.drop(result.at, "a tool's input must be a JSON object")
        return None
    name = result.name or scene.names.get(result.call_id, "")
    if not name:
        scene.losses.drop(result.at, "the call that it answers is not in the conversation, so its function has no name")
        return None
    texts, attached = [], []
    for part in result.content:
        written = write_part(part, scene)
        if isinstance(part, Text):
            texts.append(part.text)
        elif written is not None:
            attached.append(written)
    response: dict[str, Json] = {"response": results.spell(texts, failed=result.is_error)}
    if attached:
        response["parts"] = attached
    return {"functionResponse": {**_id(result.call_id, scene), "name": name, **response}}


def _write_thought(thought: Reasoning, scene: Scene) -> dict[str, Json] | None:
    """Thoughts go back to the vendor that thought them; everyone else's are left out."""
    signed = thought.signature is not None and thought.signature.vendor == VENDOR
    if signed or (scene.own and thought.signature is None):
        return {"text": thought.text, "thought": True}
    scene.losses.hint(thought.at)
    return None
