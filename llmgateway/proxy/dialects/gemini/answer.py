"""Whole answers: a GenerateContentResponse, read and written."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from dataplane.call import Usage
from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Asked, Unreadable
from llmgateway.proxy.dialects.gemini import citations, logprobs
from llmgateway.proxy.dialects.gemini.names import BLOCKED, FINISH, MALFORMED_CALL, PLAIN
from llmgateway.proxy.dialects.gemini.parts_answered import parts_of
from llmgateway.proxy.dialects.gemini.parts_in import read_part
from llmgateway.proxy.dialects.gemini.reading import Members
from llmgateway.proxy.dialects.gemini.usage import GeminiUsage, from_gemini, to_gemini

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_MODELS = "models/"


def call_id(response: str, candidate: int, number: int) -> str:
    """The id of the candidate's call that came without one: unique in a conversation, the same each time it is read.
    `number` counts the candidate's calls from 0."""
    pieces = ["call", _UNSAFE.sub("", response)[:40], str(candidate) if candidate else "", str(number)]
    return "_".join(piece for piece in pieces if piece)


def finished(reason: str, *, calls: bool) -> tuple[str, str]:
    """Why the candidate stopped, and the vendor's word where it says more. A reason that is new has ended the answer."""
    stop = FINISH.get(reason, END)
    return (TOOL if stop == END and calls else stop), ("" if reason in PLAIN else reason)


def finish_reason(stop: str, native: str, *, malformed: bool) -> str:
    if native in FINISH:
        return native
    if stop == LENGTH:
        return "MAX_TOKENS"
    if stop == FILTER:
        return "SAFETY"
    return MALFORMED_CALL if malformed else "STOP"


def read_usage(told: Json) -> Usage:
    """{} where nothing is told that can be true."""
    try:
        return from_gemini(msgspec.convert(told, GeminiUsage)) or {}
    except msgspec.ValidationError:
        return {}


def blocked(body: dict[str, Json]) -> str | None:
    """Why the prompt was blocked, None when it was not."""
    feedback = body.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    return reason if isinstance(reason, str) and reason else None


def is_empty(part: AnyPart) -> bool:
    """A text that says nothing, as the last chunk of a stream has one for its reason to stand on."""
    return isinstance(part, Text | Reasoning) and not part.text and part.signature is None


def unix_time(value: Json) -> int:
    try:
        return int(datetime.fromisoformat(value).timestamp()) if isinstance(value, str) else 0
    except (ValueError, OverflowError):
        return 0


def parse_answer(body: Json) -> Answer:
    """Raises Unreadable."""
    try:
        return _read(Members(body, ""))
    except BadRequest as error:
        raise Unreadable(error.message) from None


def _read(top: Members) -> Answer:
    reason = blocked(top.left)
    answer = Answer(id=top.text("responseId") or "", model=(top.text("modelVersion") or "").removeprefix(_MODELS))
    answer.created = unix_time(top.take("createTime"))
    usage = top.take("usageMetadata")
    answer.usage = read_usage(usage)
    tier = usage.get("serviceTier") if isinstance(usage, dict) else None
    answer.service_tier = tier if isinstance(tier, str) else ""
    told = {_index(one, place): one for place, one in enumerate(top.many("candidates"))}
    answer.candidates = [_read_candidate(told[number], answer, place) for place, number in enumerate(sorted(told))]
    top.leave(answer.extra)
    if not answer.candidates:
        if reason is None:
            raise Unreadable("the answer has no candidates")
        answer.candidates = [Candidate(stop=FILTER, native_stop=BLOCKED + reason)]
    return answer


def _index(candidate: Members, place: int) -> int:
    number = candidate.integer("index")
    return place if number is None else number


def _read_candidate(told: Members, answer: Answer, number: int) -> Candidate:
    parts: list[AnyPart] = []
    calls = 0
    content = told.inner("content")
    for one in content.many("parts") if content is not None else []:
        part = read_part(one, made=call_id(answer.id, number, calls), rest=answer.extra).part
        calls += isinstance(part, ToolCall)
        if not is_empty(part):
            parts.append(part)
    if content is not None:
        content.text("role")
        content.leave(answer.extra)
    for place, citation in citations.read(told.left, parts):
        parts[place].citations.append(citation)  # type: ignore[union-attr]
    reason = told.text("finishReason") or ""
    stop, native = finished(reason, calls=calls > 0) if reason else ("", "")
    probabilities = logprobs.read(told.take("logprobsResult"))
    told.leave(answer.extra)
    return Candidate(parts=parts, stop=stop, native_stop=native, logprobs=probabilities)


# -- to a caller


def render_answer(answer: Answer, asked: Asked) -> Json:
    body: dict[str, Json] = {}
    reason = next((one.native_stop for one in answer.candidates if one.native_stop.startswith(BLOCKED)), "")
    if reason:
        body["promptFeedback"] = {"blockReason": reason.removeprefix(BLOCKED)}
    else:
        body["candidates"] = [_candidate(one, number) for number, one in enumerate(answer.candidates)]
    usage = {"usageMetadata": to_gemini(answer.usage)} if answer.usage else {}
    return {**body, **frame(answer.id, answer.created, asked), **usage}


def frame(answer_id: str, created: int, asked: Asked) -> dict[str, Json]:
    """What every body of an answer names."""
    told: dict[str, Json] = {"modelVersion": asked.model, "responseId": answer_id or asked.id}
    if created:
        told["createTime"] = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return told


def _candidate(candidate: Candidate, number: int) -> dict[str, Json]:
    parts: list[dict[str, Json]] = []
    texts: list[tuple[int, Text]] = []
    malformed = False
    for part in candidate.parts:
        written = parts_of(part)
        malformed = malformed or (isinstance(part, ToolCall) and not written)
        if isinstance(part, Text):
            texts.append((len(parts), part))
        parts += written
    told: dict[str, Json] = {"content": {"parts": parts, "role": "model"}, "index": number}
    reason = finish_reason(candidate.stop, candidate.native_stop, malformed=malformed)
    if candidate.stop:
        told["finishReason"] = reason
    more = {"groundingMetadata": citations.written(texts), "logprobsResult": logprobs.written(candidate.logprobs)}
    return told | {name: value for name, value in more.items() if value is not None}
