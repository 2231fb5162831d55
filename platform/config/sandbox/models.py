"""A stand-in for a model vendor, in the dialects of OpenAI and Anthropic: chat, responses, messages, embeddings, streams.

It says plainly that it is a sandbox and repeats what it was told. It counts about one token per four characters.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dataplane.ids import new_id

MODELS = ("sandbox-chat", "sandbox-embedding")
PACE = 0.03
"""Seconds between the words of a stream: slow enough to see it stream."""

WORDS_AT_MOST = 400
DIMENSIONS = 64


class Wrong(Exception):
    """A request that a real vendor would refuse as well."""


def tokens(text: str) -> int:
    return max(1, len(text) // 4)


def text_of(content: Any) -> str:
    """The text in a message's content, whichever of the dialects' forms it has."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(text_of(part) for part in content)
    if isinstance(content, Mapping):
        return text_of(content.get("text") or content.get("content") or "")
    return ""


def answer_to(question: str) -> str:
    said = " ".join(question.split()[-WORDS_AT_MOST:])
    return f"This is the sandbox, not a model. You said: {said}" if said else "This is the sandbox, not a model."


def _body(raw: bytes, *needed: str) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise Wrong("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Wrong("The body is not an object.")
    for name in needed:
        if not body.get(name):
            raise Wrong(f"'{name}' is missing.")
    return body


def _event(data: Any, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: ".encode() + msgspec.json.encode(data) + b"\n\n"


async def _words(text: str) -> AsyncIterator[str]:
    for number, word in enumerate(text.split(" ")):
        await asyncio.sleep(PACE)
        yield f" {word}" if number else word


def _openai_usage(prompt: str, answer: str) -> dict[str, int]:
    return {"prompt_tokens": tokens(prompt), "completion_tokens": tokens(answer), "total_tokens": tokens(prompt) + tokens(answer)}


async def chat(request: Request) -> Response:
    body = _body(await request.body(), "model", "messages")
    prompt = text_of(body["messages"])
    answer = answer_to(text_of(body["messages"][-1:]))
    common = {"id": f"chatcmpl-{new_id()}", "created": int(time.time()), "model": body["model"]}
    usage = _openai_usage(prompt, answer)
    if body.get("stream"):
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return StreamingResponse(_chat_stream(common, answer, usage if with_usage else None), media_type="text/event-stream")
    message = {"role": "assistant", "content": answer}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return JSONResponse({**common, "object": "chat.completion", "choices": choices, "usage": usage})


async def _chat_stream(common: dict[str, Any], answer: str, usage: dict[str, int] | None) -> AsyncIterator[bytes]:
    chunk = {**common, "object": "chat.completion.chunk"}
    yield _event({**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    async for word in _words(answer):
        yield _event({**chunk, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
    yield _event({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        yield _event({**chunk, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


async def responses(request: Request) -> Response:
    body = _body(await request.body(), "model", "input")
    prompt = text_of(body["input"])
    answer = answer_to(prompt)
    usage = {"input_tokens": tokens(prompt), "output_tokens": tokens(answer), "total_tokens": tokens(prompt) + tokens(answer)}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}  # type: ignore[dict-item]
    part = {"type": "output_text", "text": answer, "annotations": []}
    item = {"id": f"msg_{new_id()}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    whole = {"id": f"resp_{new_id()}", "object": "response", "created_at": int(time.time()), "model": body["model"]}
    done = {**whole, "status": "completed", "output": [item], "usage": usage}
    if body.get("stream"):
        return StreamingResponse(_responses_stream(whole, item, answer, done), media_type="text/event-stream")
    return JSONResponse(done)


async def _responses_stream(whole: dict[str, Any], item: dict[str, Any], answer: str, done: dict[str, Any]) -> AsyncIterator[bytes]:
    number = 0

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return _event({"type": kind, "sequence_number": number - 1, **fields}, kind)

    yield event("response.created", response={**whole, "status": "in_progress", "output": []})
    yield event("response.output_item.added", output_index=0, item={**item, "status": "in_progress", "content": []})
    async for word in _words(answer):
        yield event("response.output_text.delta", item_id=item["id"], output_index=0, content_index=0, delta=word)
    yield event("response.output_item.done", output_index=0, item=item)
    yield event("response.completed", response=done)


async def messages(request: Request) -> Response:
    body = _body(await request.body(), "model", "messages", "max_tokens")
    prompt = text_of(body["messages"])
    answer = answer_to(text_of(body["messages"][-1:]))
    whole = {"id": f"msg_{new_id()}", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None}
    usage = {"input_tokens": tokens(prompt), "output_tokens": tokens(answer)}
    if body.get("stream"):
        return StreamingResponse(_messages_stream(whole, answer, usage), media_type="text/event-stream")
    return JSONResponse({**whole, "content": [{"type": "text", "text": answer}], "stop_reason": "end_turn", "usage": usage})


async def _messages_stream(whole: dict[str, Any], answer: str, usage: dict[str, int]) -> AsyncIterator[bytes]:
    opening = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _event({"type": "message_start", "message": opening}, "message_start")
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start")
    async for word in _words(answer):
        yield _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}, "content_block_delta")
    yield _event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}, "message_delta")
    yield _event({"type": "message_stop"}, "message_stop")


async def embeddings(request: Request) -> Response:
    body = _body(await request.body(), "model", "input")
    given = body["input"] if isinstance(body["input"], list) else [body["input"]]
    texts = [text if isinstance(text, str) else str(text) for text in given]
    data = [{"object": "embedding", "index": number, "embedding": _vector(text)} for number, text in enumerate(texts)]
    used = sum(map(tokens, texts))
    return JSONResponse({"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": used, "total_tokens": used}})


def _vector(text: str) -> list[float]:
    """The same text has the same vector; nothing else may be read out of it."""
    bits = hashlib.shake_256(text.encode()).digest(DIMENSIONS)
    return [round(value / 127.5 - 1, 6) for value in bits]


async def listed(request: Request) -> Response:
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "sandbox"} for name in MODELS]
    return JSONResponse({"object": "list", "data": data})


async def counted(request: Request) -> Response:
    body = _body(await request.body(), "model", "messages")
    return JSONResponse({"input_tokens": tokens(text_of(body.get("system")) + text_of(body["messages"]))})


async def listed_for_anthropic(request: Request) -> Response:
    data = [{"type": "model", "id": MODELS[0], "display_name": "Sandbox", "created_at": "2026-01-01T00:00:00Z"}]
    return JSONResponse({"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[0]})


def wrong(request: Request, error: Exception) -> Response:
    if request.url.path.startswith("/sandbox/anthropic/"):
        return JSONResponse({"type": "error", "error": {"type": "invalid_request_error", "message": str(error)}}, 400)
    return JSONResponse({"error": {"type": "invalid_request_error", "message": str(error), "param": None, "code": None}}, 400)


ROUTES = [
    Route("/sandbox/openai/v1/chat/completions", chat, methods=["POST"]),
    Route("/sandbox/openai/v1/responses", responses, methods=["POST"]),
    Route("/sandbox/openai/v1/embeddings", embeddings, methods=["POST"]),
    Route("/sandbox/openai/v1/models", listed),
    Route("/sandbox/anthropic/v1/messages", messages, methods=["POST"]),
    Route("/sandbox/anthropic/v1/messages/count_tokens", counted, methods=["POST"]),
    Route("/sandbox/anthropic/v1/models", listed_for_anthropic),
]
