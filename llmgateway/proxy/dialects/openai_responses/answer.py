"""A whole answer, read and written."""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.events import Event, Logprobs, unfold
from llmgateway.proxy.conversation.parts import AnyPart, Json, ToolCall
from llmgateway.proxy.dialects.dialect import Asked, Unreadable
from llmgateway.proxy.dialects.openai_responses.frame import UNFINISHED
from llmgateway.proxy.dialects.openai_responses.items_in import said_parts
from llmgateway.proxy.dialects.openai_responses.members import Found, Members, WrongType
from llmgateway.proxy.dialects.openai_responses.names import TIERS
from llmgateway.proxy.dialects.openai_responses.stream_out import Composer
from llmgateway.proxy.dialects.openai_responses.usage import read_usage

REASONS = {"max_output_tokens": LENGTH, "content_filter": FILTER}


def parse_answer(body: Json) -> Answer:
    try:
        return _answer(body)
    except WrongType as error:
        raise Unreadable(str(error)) from None


def _answer(body: Json) -> Answer:
    members, found = Members(body, ""), Found()
    error = members.inner("error")
    status = members.text("status")
    if error is not None or status == "failed":
        told = error.text("message") if error is not None else ""
        raise Unreadable(f"The response has failed: {told or 'no reason is told'}")
    output = members.take("output")
    if not isinstance(output, list):
        raise WrongType("output", "an array")
    parts = [part for place, item in enumerate(output) for part in said_parts(item, f"output[{place}]", found)]
    stop, native = stop_of(status, members.take("incomplete_details"), called=calls(parts))
    candidate = Candidate(parts=parts, stop=stop, native_stop=native)
    if logged := [entry for item in output for entry in logprobs_of(item)]:
        candidate.logprobs = {"content": logged}
    answer = Answer(
        id=members.text("id"),
        model=members.text("model"),
        created=int(members.number("created_at") or 0),
        candidates=[candidate],
        usage=read_usage(members.take("usage")),
        service_tier=members.text("service_tier"),
    )
    members.take("object")
    members.rest(found)
    answer.extra = found.extra
    return answer


def calls(parts: list[AnyPart]) -> bool:
    return any(isinstance(part, ToolCall) for part in parts)


def stop_of(status: str, details: Json, *, called: bool) -> tuple[str, str]:
    """The stop and the vendor's own word for it. A response that is not done yet has none."""
    if status in UNFINISHED:
        return "", status
    if status == "incomplete":
        reason = details.get("reason") if isinstance(details, dict) else None
        word = reason if isinstance(reason, str) else ""
        return (REASONS[word], "") if word in REASONS else (END, word or status)
    return (TOOL if called else END), ""


def logprobs_of(item: Json) -> list[Json]:
    content = item.get("content") if isinstance(item, dict) and item.get("type") == "message" else None
    pieces = content if isinstance(content, list) else []
    logged = [piece.get("logprobs") for piece in pieces if isinstance(piece, dict) and piece.get("type") == "output_text"]
    return [entry for entries in logged if isinstance(entries, list) for entry in entries]


def render_answer(answer: Answer, asked: Asked) -> Json:
    """What the SDK would have made of the stream that tells this answer."""
    composer = Composer(asked)
    for event in _logprobs_first(unfold(answer)):
        composer.tell(event)
    if answer.service_tier in TIERS:
        composer.response["service_tier"] = answer.service_tier
    return composer.response


def _logprobs_first(events: list[Event]) -> list[Event]:
    """Ahead of the text that they are of."""
    logged = [event for event in events if isinstance(event, Logprobs)]
    return [events[0], *logged, *(event for event in events[1:] if not isinstance(event, Logprobs))]
