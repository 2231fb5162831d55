"""Messages, written for Cohere's chat: roles need not alternate, each tool result is a message of its own."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, File, Image, Json, Reasoning, Refused, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, Message, Request
from llmgateway.proxy.conversation.shown import shown_by_user, texts_of
from llmgateway.proxy.dialects.cohere.citations import VENDOR, write_citations
from llmgateway.proxy.dialects.cohere.message_in import PLAN, THOUGHT
from llmgateway.proxy.dialects.jsontext import compact_object
from llmgateway.proxy.dialects.unsaid import hint_cache

WEB = ("https://", "http://")
"""Other addresses are of stores that one vendor reads."""


def write_messages(request: Request, losses: Losses, *, lacks: frozenset[str]) -> list[Json]:
    written: list[Json] = []
    for text in request.system:
        hint_cache(text, losses)
        written.append({"role": SYSTEM, "content": text.text})
    for message in request.messages:
        if message.name:
            losses.hint(f"{message.at}.name")
        for part in message.parts:
            hint_cache(part, losses)
        if message.role == ASSISTANT:
            written += _assistant(message, losses)
        else:
            written += _asked(message, losses, lacks)
    return written


def _asked(message: Message, losses: Losses, lacks: frozenset[str]) -> list[Json]:
    """Tool results come before whatever else their message says: they must follow their calls."""
    role = SYSTEM if message.role == DEVELOPER else message.role
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    others = (part for part in (*shown_by_user(results, losses), *message.parts) if not isinstance(part, ToolResult))
    blocks = [block for part in others if (block := _asked_block(part, losses, lacks)) is not None]
    return [_result(part, losses) for part in results] + ([{"role": role, "content": _shortened(blocks)}] if blocks else [])


def _shortened(blocks: list[Json]) -> Json:
    """One text is written as a string."""
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def _asked_block(part: AnyPart, losses: Losses, lacks: frozenset[str]) -> Json:
    match part:
        case Text() | Refused():
            return {"type": "text", "text": part.text}
        case Image() if "image" not in lacks and (part.data or part.url.startswith(WEB)):
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {"type": "image_url", "image_url": {"url": url, **({"detail": part.detail} if part.detail else {})}}
        case File(text=text) if text and not part.citations and not part.context:
            if part.title:
                losses.hint(f"{part.at}.title")
            return {"type": "text", "text": text}
    losses.drop(part.at, "it takes texts and images")
    return None


def _result(part: ToolResult, losses: Losses) -> Json:
    if part.is_error:
        losses.hint(f"{part.at}.is_error")
    for item in part.content:
        hint_cache(item, losses)
    texts = [item.text for item in texts_of(part)]
    return {
        "role": "tool",
        "tool_call_id": part.call_id,
        "content": texts[0] if len(texts) == 1 else [_result_block(text) for text in texts],
    }


def _result_block(text: str) -> Json:
    """A JSON object becomes a document, which Cohere may cite by its fields."""
    data = compact_object(text)
    return {"type": "text", "text": text} if data is None else {"type": "document", "document": {"data": data}}


def _assistant(message: Message, losses: Losses) -> list[Json]:
    """Nothing where nothing is left to say. Reasoning that another vendor signed is left out; of what nobody signed nothing
    tells where it came from: beside calls it is written as their plan."""
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    told: dict[str, Json] = {}
    blocks: list[Json] = []
    citations: list[Json] = []
    plans: list[str] = []
    for part in message.parts:
        if isinstance(part, Reasoning):
            _think(part, blocks, plans, losses, calling=bool(calls))
        elif isinstance(part, Text | Refused) and part.text:
            citations += _cited(part, len(blocks), losses) if isinstance(part, Text) else []
            blocks.append({"type": "text", "text": part.text})
        elif not isinstance(part, ToolCall | Text | Refused):
            losses.drop(part.at, "its models said texts and called tools")
    if plans:
        told["tool_plan"] = "".join(plans)
    if written := [call for call in (_call(part, losses) for part in calls) if call is not None]:
        told["tool_calls"] = written
    if blocks:
        told["content"] = _shortened(blocks)
    if citations:
        told["citations"] = citations
    return [{"role": ASSISTANT, **told}] if told else []


def _think(part: Reasoning, blocks: list[Json], plans: list[str], losses: Losses, *, calling: bool) -> None:
    signature = part.signature
    text = part.text or "\n\n".join(part.summary)
    if part.redacted or not text or (signature is not None and signature.vendor != VENDOR):
        losses.hint(part.at)
        return
    place = signature.value if signature is not None else PLAN if calling else THOUGHT
    if place == PLAN:
        plans.append(text)
    else:
        blocks.append({"type": "thinking", "thinking": text})


def _cited(part: Text, place: int, losses: Losses) -> list[Json]:
    if any(citation.vendor != VENDOR for citation in part.citations):
        losses.hint(f"{part.at}.citations")
    return write_citations([citation for citation in part.citations if citation.vendor == VENDOR], part.text, place)


def _call(part: ToolCall, losses: Losses) -> Json:
    if part.custom:
        losses.drop(part.at, "it has no tools whose input is free text")
        return None
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments or "{}"}}
