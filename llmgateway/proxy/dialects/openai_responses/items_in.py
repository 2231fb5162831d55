"""Items that a model made, read into parts: in an answer's `output` and where a caller replays them in `input`."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Signature, Special, ToolCall
from llmgateway.proxy.dialects.openai_responses.content_in import content_parts
from llmgateway.proxy.dialects.openai_responses.members import Found, Members
from llmgateway.proxy.dialects.openai_responses.names import NAME


def said_parts(item: Json, path: str, found: Found) -> list[AnyPart]:
    """An item of a type that no other vendor has is one `Special`."""
    members = Members(item, path)
    kind = members.text("type")
    if kind == "message" or not kind:
        return message_parts(members, found)
    reader = {"function_call": _function_call, "custom_tool_call": _custom_call, "reasoning": _reasoning}.get(kind)
    if reader is None:
        return [Special(vendor=NAME, kind=kind, raw=item, at=path)]
    part = reader(members, found)
    part.at = path
    finish(members, found)
    return [part]


def message_parts(members: Members, found: Found) -> list[AnyPart]:
    members.take("role")
    parts = content_parts(members.take("content"), members.at("content"), found)
    members.hint(found, "id", "phase")
    finish(members, found)
    return parts


def finish(members: Members, found: Found) -> None:
    """What any item may have. A status other than completed is told by the answer, and concerns nobody later."""
    members.skip("status", "completed")
    members.hint(found, "status")
    members.skip("caller", {"type": "direct"})
    members.rest(found)


def _function_call(members: Members, found: Found) -> AnyPart:
    members.hint(found, "namespace")
    return ToolCall(
        id=members.text("call_id"),
        item_id=members.text("id"),
        name=members.needed("name"),
        arguments=members.text("arguments"),
    )


def _custom_call(members: Members, found: Found) -> AnyPart:
    members.hint(found, "namespace")
    return ToolCall(
        id=members.text("call_id"),
        item_id=members.text("id"),
        name=members.needed("name"),
        arguments=members.text("input"),
        custom=True,
    )


def _reasoning(members: Members, found: Found) -> AnyPart:
    """Several pieces of content are one text; how it was cut is kept for the own vendor."""
    content = members.array("content")
    texts = _texts(content, members.at("content"), found)
    if len(content) > 1:
        found.hints[members.at("content")] = content
    encrypted = members.text("encrypted_content")
    return Reasoning(
        id=members.text("id"),
        summary=_texts(members.array("summary"), members.at("summary"), found),
        text="".join(texts),
        signature=Signature(NAME, encrypted) if encrypted else None,
    )


def _texts(values: list[Json], path: str, found: Found) -> list[str]:
    texts = []
    for place, value in enumerate(values):
        members = Members(value, f"{path}[{place}]")
        members.take("type")
        texts.append(members.needed("text"))
        members.rest(found)
    return texts
