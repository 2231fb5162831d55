"""OpenAI chat, as the vendors speak it who copied it: reasoning comes as text and goes back as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bench.agents.turns import Asked, Call, Item, Proof, Result, Turn
from bench.agents.wires.pieces import dumped, event, pieces

CONTENT_TYPE = "text/event-stream"
FLAGS = CACHES = False
CUSTOMS = False


def call_id(number: int, place: int) -> str:
    return f"c{number:06d}{place:02d}"


def proof(number: int) -> str:
    return f"What I thought at step {number}: „so“."


def read(body: Any) -> Asked:
    items: list[Item] = []
    pending: list[Result] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            pending.append(Result(message["tool_call_id"], _text(message["content"]), _images(message["content"])))
            continue
        if message["role"] == "user":
            pending = _with_images(pending, _images(message["content"]), dumped(message["content"]))
        items, pending = [*items, *pending], []
        if message.get("reasoning"):
            items.append(Proof(message["reasoning"]))
        for call in message.get("tool_calls") or ():
            items.append(Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
    return Asked(tuple(tool["function"]["name"] for tool in body.get("tools", ())), (*items, *pending), dumped(body))


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content if part["type"] == "text")


def _images(content: Any) -> int:
    return 0 if isinstance(content, str) else sum(part["type"] == "image_url" for part in content)


def _with_images(results: list[Result], images: int, told: str) -> list[Result]:
    """A tool's message has no place for an image: it follows as the user's, named after its call."""
    if not images or not results:
        return results
    owners = [result.id for result in results if result.id in told] or [results[-1].id]
    return [Result(one.id, one.text, one.images + (images if one.id == owners[0] else 0), one.failed) for one in results]


def stream(turn: Turn, number: int, model: str) -> Iterator[bytes]:
    head = {"id": f"chatcmpl-{number:06d}", "object": "chat.completion.chunk", "created": 1764000000, "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return event({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], "usage": None})

    yield chunk({"role": "assistant", "content": ""})
    if turn.proof:
        yield from (chunk({"reasoning": piece}) for piece in pieces(turn.proof))
    yield from (chunk({"content": piece}) for piece in pieces(turn.text))
    for index, call in enumerate(turn.calls):
        function = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]})
        for piece in pieces(dumped(call.arguments)):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if turn.calls else "stop")
    used = turn.used
    prompt = used.input + used.cached
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": used.output,
        "total_tokens": prompt + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached},
        "completion_tokens_details": {"reasoning_tokens": used.thought},
    }
    yield event({**head, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"
