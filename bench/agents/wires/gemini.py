"""Gemini's streamGenerateContent as server-sent events. Its calls have no ids: order and names tell which result is whose."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from bench.agents.turns import Asked, Call, Item, Proof, Result, Turn
from bench.agents.wires.pieces import dumped, pieces

CONTENT_TYPE = "text/event-stream"
FLAGS = CACHES = False
CUSTOMS = False


def call_id(number: int, place: int) -> str:
    return ""


def proof(number: int) -> str:
    return b64encode(f"thought {number:06d}".encode()).decode()


def read(body: Any) -> Asked:
    items: list[Item] = []
    for content in body["contents"]:
        for part in content["parts"]:
            items += _items(part)
    names = (one["name"] for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ()))
    return Asked(tuple(names), tuple(items), dumped(body))


def _items(part: Any) -> Iterator[Item]:
    if "thoughtSignature" in part:
        yield Proof(part["thoughtSignature"])
    if (call := part.get("functionCall")) is not None:
        yield Call("", call["name"], call.get("args") or {})
    if (result := part.get("functionResponse")) is not None:
        yield Result("", "\n".join(_texts(result["response"])), sum("inlineData" in one for one in result.get("parts", ())))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def stream(turn: Turn, number: int, model: str) -> Iterator[bytes]:
    used = turn.used
    counts = {"promptTokenCount": used.input + used.cached, "cachedContentTokenCount": used.cached, "thoughtsTokenCount": used.thought}

    def chunk(parts: list[dict[str, Any]], finish: str = "") -> bytes:
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0, **({"finishReason": finish} if finish else {})}
        said = used.output - used.thought if finish else 1
        usage = {**counts, "candidatesTokenCount": said, "totalTokenCount": counts["promptTokenCount"] + said + used.thought}
        value = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": f"r{number:06d}"}
        return f"data: {dumped(value)}\r\n\r\n".encode()

    yield from (chunk([{"text": piece, "thought": True}]) for piece in pieces(turn.thought))
    yield from (chunk([{"text": piece}]) for piece in pieces(turn.text))
    for place, call in enumerate(turn.calls):
        signed = {"thoughtSignature": turn.proof} if place == 0 and turn.proof else {}
        yield chunk([{"functionCall": {"name": call.name, "args": call.arguments}, **signed}])
    yield chunk([{"text": ""}], "STOP")
