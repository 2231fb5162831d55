"""Cohere's chat answers (v2), whole.

Nobody who calls the house speaks this dialect, and it has no place for opaque values: signatures of other vendors are left
out of what is written.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, PAUSE, SEQUENCE, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.parts import Json, Reasoning, Refused, Text, ToolCall
from llmgateway.proxy.dialects.cohere.citations import VENDOR, write_citations
from llmgateway.proxy.dialects.cohere.message_in import PLAN, MessageParts
from llmgateway.proxy.dialects.cohere.usage import from_cohere, to_cohere
from llmgateway.proxy.dialects.dialect import Asked, Unreadable
from llmgateway.proxy.dialects.members import Members, unreadable

STOPS = {
    "COMPLETE": END,
    "MAX_TOKENS": LENGTH,
    "STOP_SEQUENCE": SEQUENCE,
    "TOOL_CALL": TOOL,
    "ERROR_LIMIT": LENGTH,
    "ERROR_TOXIC": FILTER,
}
FAILED = frozenset({"ERROR", "TIMEOUT"})
"""Why an answer ended that never became one."""

TOLD = {END: "COMPLETE", LENGTH: "MAX_TOKENS", SEQUENCE: "STOP_SEQUENCE", TOOL: "TOOL_CALL", FILTER: "ERROR_TOXIC", PAUSE: "COMPLETE"}


def read_stop(reason: str) -> tuple[str, str]:
    """Why a model stopped and the vendor's own word, "" where it says no more."""
    stop = STOPS.get(reason, END)
    return stop, "" if TOLD[stop] == reason else reason


def write_stop(stop: str, native: str) -> str:
    return native if native and STOPS.get(native) == stop else TOLD.get(stop, "COMPLETE")


def parse_answer(body: Json) -> Answer:
    """Raises Unreadable, also for an answer whose generation failed."""
    whole = Members(body, "", unreadable)
    reason = whole.needed_text("finish_reason")
    if reason in FAILED:
        raise Unreadable(f"the generation ended with {reason}")
    message = whole.needed("message")
    reading = MessageParts(unreadable)
    reading.said(message)
    for part in reading.parts:
        part.at = ""
    stop, native = read_stop(reason)
    said = Candidate(parts=reading.parts, stop=stop, native_stop=native)
    if (told := whole.each("logprobs")) != []:
        said.logprobs = {"content": [read_logprob(item) for item in told]}
    answer = Answer(id=whole.text("id"), candidates=[said], usage=from_cohere(whole.take("usage")))
    message.take("role")
    answer.extra = whole.left() | message.left() | reading.left
    return answer


def read_logprob(item: Members) -> Json:
    """As OpenAI tells it. One of Cohere's covers a piece of text that may be several tokens: their sum is that of the piece."""
    values = item.array("logprobs") or [item.take("logprob")]
    if any(type(value) not in (int, float) for value in values):
        raise item.wrong(item.path("logprobs"), "an array of numbers")
    text = item.text("text") or item.text("token")
    return {"token": text, "logprob": sum(values), "bytes": list(text.encode()), "top_logprobs": []}


def write_logprob(entry: Json) -> Json:
    return {"text": entry["token"], "token_ids": [], "logprobs": [entry["logprob"]]}


def render_answer(answer: Answer, asked: Asked) -> Json:
    """The first candidate: Cohere gives one."""
    said = answer.candidates[0] if answer.candidates else Candidate()
    body: dict[str, Json] = {
        "id": answer.id or asked.id,
        "message": _message(said),
        "finish_reason": write_stop(said.stop, said.native_stop),
    }
    if usage := to_cohere(answer.usage):
        body["usage"] = usage
    if isinstance(said.logprobs, dict) and (entries := said.logprobs.get("content")):
        body["logprobs"] = [write_logprob(entry) for entry in entries]
    return body


def _message(said: Candidate) -> dict[str, Json]:
    message: dict[str, Json] = {"role": "assistant"}
    content: list[Json] = []
    citations: list[Json] = []
    for part in said.parts:
        match part:
            case Text():
                citations += write_citations(part.citations, part.text, len(content))
                content.append({"type": "text", "text": part.text})
            case Refused():
                content.append({"type": "text", "text": part.text})
            case Reasoning() if is_plan(part):
                message["tool_plan"] = message.get("tool_plan", "") + part.text
            case Reasoning() if not part.redacted:
                content.append({"type": "thinking", "thinking": part.text or "\n\n".join(part.summary)})
            case ToolCall():
                message.setdefault("tool_calls", []).append(tool_call(part))
    return message | ({"content": content} if content else {}) | ({"citations": citations} if citations else {})


def is_plan(part: Reasoning) -> bool:
    return part.signature is not None and (part.signature.vendor, part.signature.value) == (VENDOR, PLAN)


def tool_call(part: ToolCall) -> Json:
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}
