"""Short, well-formed answers of providers, one per dialect and manner, with the usage that each of them states.

Every one says `TEXT` and counts as `USAGE` in the house's buckets: 20 tokens in, 4 of them read from a cache, 6 out.
"""

from __future__ import annotations

import json
from typing import Any

TEXT = "Grüße an 你好"
WORDS = ("Grü", "ße an ", "你好")
USAGE = {"input": 16, "cached_read": 4, "output": 6}

CHAT_USAGE: dict[str, Any] = {
    "prompt_tokens": 20,
    "completion_tokens": 6,
    "total_tokens": 26,
    "prompt_tokens_details": {"cached_tokens": 4},
}
RESPONSE_USAGE: dict[str, Any] = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 6,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 26,
}
MESSAGE_USAGE: dict[str, Any] = {"input_tokens": 16, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 6}


def _event(data: Any, name: str | None = None) -> bytes:
    line = b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"
    return line if name is None else b"event: " + name.encode() + b"\n" + line


def chat(model: str = "gpt-real") -> dict[str, Any]:
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1750000000, "model": model}
    return {**head, "choices": [choice], "usage": CHAT_USAGE}


def chat_pieces(model: str = "gpt-real", *, usage: bool = True) -> list[bytes]:
    """The events of a chat stream: the role, the words, the end, the usage as asked for, and `[DONE]`."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1750000000, "model": model}
    tail: dict[str, Any] = {"usage": None} if usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **tail})

    pieces = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word}) for word in WORDS), chunk({}, "stop")]
    if usage:
        pieces.append(_event({**head, "choices": [], "usage": CHAT_USAGE}))
    return [*pieces, b"data: [DONE]\n\n"]


def response(model: str = "gpt-real") -> dict[str, Any]:
    text = {"type": "output_text", "text": TEXT, "annotations": []}
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
    return {**_response_head(model), "status": "completed", "output": [message], "usage": RESPONSE_USAGE}


def _response_head(model: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1750000000,
        "model": model,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [],
    }


def response_pieces(model: str = "gpt-real") -> list[bytes]:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    bodies: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**_response_head(model), "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in WORDS),
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
        {"type": "response.completed", "response": response(model)},
    ]
    return [_event({**body, "sequence_number": number}, body["type"]) for number, body in enumerate(bodies)]


def embedding(model: str = "embed-real") -> dict[str, Any]:
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125]}
    return {"object": "list", "model": model, "data": [vector], "usage": {"prompt_tokens": 8, "total_tokens": 8}}


def message(model: str = "claude-real") -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    return {**head, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn", "stop_sequence": None, "usage": MESSAGE_USAGE}


def message_pieces(model: str = "claude-real") -> list[bytes]:
    """The events of a messages stream; the first states one token of output, the last the true count."""
    begun = {**message(model), "content": [], "stop_reason": None, "usage": {**MESSAGE_USAGE, "output_tokens": 1}}
    bodies: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in WORDS),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 6}},
        {"type": "message_stop"},
    ]
    return [_event(body, body["type"]) for body in bodies]
