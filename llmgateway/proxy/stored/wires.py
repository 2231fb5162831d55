"""How batches are read, by the dialect in which they are ordered: when one has ended, where its results are, what a line says
was used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.stored.notices import decoded
from llmgateway.proxy.usage import ChatUsage, MessagesUsage, ResponsesUsage, from_chat, from_messages, from_responses

OPENAI, ANTHROPIC = "openai", "anthropic"


class Ended(NamedTuple):
    """A batch that goes on no more. `at` is Unix time, as the provider says it, so that all who look say the same. `results`
    is the path of what was made, "" where nothing was. `total` is all that was used, where the provider says so."""

    at: float
    results: str
    total: Usage | None = None


class Spent(NamedTuple):
    """Of one line: the model as the provider names it in its answer."""

    model: str
    usage: Usage


class Wire(NamedTuple):
    """`headers` are what the house sends when it asks by itself. `outputs` gives the ids of files that a batch has made."""

    path: str
    headers: tuple[tuple[str, str], ...]
    ended: Callable[[dict[str, Any]], Ended | None]
    spent: Callable[[bytes], Spent | None]
    outputs: Callable[[dict[str, Any]], list[str]]


_OPENAI_ENDS = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at", "failed": "failed_at"}


def _openai_ended(batch: dict[str, Any]) -> Ended | None:
    status = batch.get("status")
    if not isinstance(status, str) or status not in _OPENAI_ENDS:
        return None
    output = batch.get("output_file_id")
    path = f"/files/{output}/content" if isinstance(output, str) and output else ""
    return Ended(_time(batch.get(_OPENAI_ENDS[status])) or _time(batch.get("created_at")), path, _openai_total(batch))


def _openai_total(batch: dict[str, Any]) -> Usage | None:
    try:
        return from_responses(msgspec.convert(batch["usage"], ResponsesUsage))
    except (KeyError, msgspec.ValidationError):
        return None


def _openai_outputs(batch: dict[str, Any]) -> list[str]:
    return [ident for name in ("output_file_id", "error_file_id") if isinstance(ident := batch.get(name), str) and ident]


class _Body(msgspec.Struct):
    model: str = ""
    usage: dict[str, Any] | None = None


class _Response(msgspec.Struct):
    body: _Body | None = None


class _OpenAiLine(msgspec.Struct):
    response: _Response | None = None


_openai_lines = msgspec.json.Decoder(_OpenAiLine)


def _openai_spent(line: bytes) -> Spent | None:
    try:
        answer = _openai_lines.decode(line).response
        body = None if answer is None else answer.body
        if body is None or body.usage is None:
            return None
        if "input_tokens" in body.usage:
            usage = from_responses(msgspec.convert(body.usage, ResponsesUsage))
        else:
            usage = from_chat(msgspec.convert(body.usage, ChatUsage))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if usage is None else Spent(body.model, usage)


def _anthropic_ended(batch: dict[str, Any]) -> Ended | None:
    if batch.get("processing_status") != "ended":
        return None
    ident = batch.get("id")
    counts = batch.get("request_counts")
    succeeded = counts.get("succeeded") if isinstance(counts, dict) else None
    return Ended(
        _time(batch.get("ended_at")) or _time(batch.get("created_at")), "" if succeeded == 0 else f"/messages/batches/{ident}/results"
    )


class _Message(msgspec.Struct):
    model: str = ""
    usage: MessagesUsage | None = None


class _Result(msgspec.Struct):
    message: _Message | None = None


class _AnthropicLine(msgspec.Struct):
    result: _Result | None = None


_anthropic_lines = msgspec.json.Decoder(_AnthropicLine)


def _anthropic_spent(line: bytes) -> Spent | None:
    try:
        result = _anthropic_lines.decode(line).result
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    message = None if result is None else result.message
    return None if message is None or message.usage is None else Spent(message.model, from_messages(message.usage))


def _time(value: Any) -> float:
    """Unix time of what OpenAI (a number) and Anthropic (RFC 3339) write; 0.0 for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0


WIRES = {
    OPENAI: Wire("/batches/{}", (), _openai_ended, _openai_spent, _openai_outputs),
    ANTHROPIC: Wire("/messages/batches/{}", (("anthropic-version", "2023-06-01"),), _anthropic_ended, _anthropic_spent, lambda batch: []),
}


def batch_in(body: bytes) -> dict[str, Any]:
    """The batch that an answer is; {} for anything else."""
    told = decoded(body)
    return told if isinstance(told.get("id"), str) else {}
