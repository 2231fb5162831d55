"""Whole answers of Messages."""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.parts import Json, Refused, ToolCall
from llmgateway.proxy.dialects.anthropic_messages import blocks_in, stops, usage
from llmgateway.proxy.dialects.anthropic_messages.answer_blocks import told
from llmgateway.proxy.dialects.anthropic_messages.blocks_in import Place
from llmgateway.proxy.dialects.anthropic_messages.reading import Members, Rest, broken
from llmgateway.proxy.dialects.dialect import Asked, Unreadable
from llmgateway.proxy.usage import from_messages

_COUNTED = frozenset(
    (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "output_tokens",
        "output_tokens_details",
        "service_tier",
    )
)
_OWN_EXTRA = ("container", "stop_details", "usage.server_tool_use")
"""What has no slot and is told again where it came from Anthropic."""

_TIERS = ("standard", "priority", "batch")


def parse_answer(body: Json) -> Answer:
    """Raises Unreadable."""
    if isinstance(body, dict) and body.get("type") == "error":
        raise Unreadable("the answer is an error under a status that said success")
    given = Members(body, "", broken)
    rest = Rest({}, {})
    raw = given.take("content")
    if not isinstance(raw, list):
        raise Unreadable("the answer has no content")
    candidate = Candidate(parts=blocks_in.content(raw, "content", Place(broken, rest, {})))
    reason = given.text("stop_reason")
    if reason:
        candidate.stop, candidate.native_stop = stops.read(reason)
    candidate.stop_sequence = given.text("stop_sequence") or None
    answer = Answer(id=given.text("id"), model=given.text("model"), candidates=[candidate])
    counted = given.object("usage") or {}
    read = usage.read(counted)
    if read is not None:
        answer.usage = from_messages(read)
    tier = counted.get("service_tier")
    answer.service_tier = tier if isinstance(tier, str) else ""
    given.take("type")
    given.take("role")
    given.leave(rest.extra)
    told_apart = {f"usage.{name}": value for name, value in counted.items() if name not in _COUNTED and value is not None}
    answer.extra = {**rest.extra, **rest.hints, **told_apart}
    return answer


def render_answer(answer: Answer, asked: Asked) -> Json:
    """Only the first candidate: a caller of this dialect can't ask for more."""
    candidate = answer.candidates[0] if answer.candidates else Candidate()
    body = head(answer.id, asked)
    body["content"] = [block for part in candidate.parts for block in told(part).blocks]
    refused, called = _holds(candidate, Refused), _holds(candidate, ToolCall)
    body["stop_reason"] = stops.write(candidate.stop, candidate.native_stop, refused=refused, called=called)
    body["stop_sequence"] = candidate.stop_sequence
    body["usage"] = usage.write(answer.usage)
    if answer.service_tier in _TIERS:
        body["usage"]["service_tier"] = answer.service_tier
    for path in _OWN_EXTRA:
        _put(body, path, answer.extra.get(path))
    return body


def _put(body: dict[str, Json], path: str, value: Json) -> None:
    if isinstance(value, dict):
        *way, last = path.split(".")
        (body[way[0]] if way else body)[last] = value


def head(answer_id: str, asked: Asked) -> dict[str, Json]:
    """A message before it says anything. Its model is the one that was asked: Claude Code gives a model that answers under
    another name none of its thinking back."""
    return {
        "id": answer_id or f"msg_{asked.id}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage.write({}),
    }


def _holds(candidate: Candidate, kind: type) -> bool:
    return any(isinstance(part, kind) for part in candidate.parts)
