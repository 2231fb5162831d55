"""Bedrock's ConverseStream: AWS's binary event stream."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

from bench.agents.turns import Asked, Call, Item, Proof, Result, Turn
from bench.agents.wires.pieces import dumped, pieces

CONTENT_TYPE = "application/vnd.amazon.eventstream"
FLAGS = CACHES = True
CUSTOMS = False


def call_id(number: int, place: int) -> str:
    return f"tooluse_{number:04d}{place:02d}aBcDeFgHiJkL"


def proof(number: int) -> str:
    return f"EuYB{number:04d}CkYIBBgC"


def read(body: Any) -> Asked:
    items: list[Item] = []
    for message in body["messages"]:
        for block in message["content"]:
            items += _items(block)
    specs = (tool["toolSpec"]["name"] for tool in body.get("toolConfig", {}).get("tools", ()) if "toolSpec" in tool)
    return Asked(tuple(specs), tuple(items), dumped(body))


def _items(block: Any) -> Iterator[Item]:
    if (thought := block.get("reasoningContent", {}).get("reasoningText")) is not None:
        yield Proof(thought["signature"])
    if (call := block.get("toolUse")) is not None:
        yield Call(call["toolUseId"], call["name"], call["input"])
    if (result := block.get("toolResult")) is not None:
        texts = "\n".join(part["text"] for part in result["content"] if "text" in part)
        images = sum("image" in part for part in result["content"])
        yield Result(result["toolUseId"], texts, images, result.get("status") == "error")


def framed(kind: str, payload: Any) -> bytes:
    """One message of the binary stream."""
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    data = dumped(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(data), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + data
    return message + struct.pack("!I", zlib.crc32(message))


def stream(turn: Turn, number: int, model: str) -> Iterator[bytes]:
    yield framed("messageStart", {"role": "assistant", "p": "abcdefgh"})
    index = 0
    if turn.proof:
        said = [{"reasoningContent": {"text": piece}} for piece in pieces(turn.thought)]
        for delta in (*said, {"reasoningContent": {"signature": turn.proof}}):
            yield framed("contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "ab"})
        yield framed("contentBlockStop", {"contentBlockIndex": index})
        index += 1
    if turn.text:
        for piece in pieces(turn.text):
            yield framed("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": piece}, "p": "abc"})
        yield framed("contentBlockStop", {"contentBlockIndex": index})
        index += 1
    for call in turn.calls:
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
        yield framed("contentBlockStart", {"contentBlockIndex": index, "start": start})
        for piece in pieces(dumped(call.arguments)):
            yield framed("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}})
        yield framed("contentBlockStop", {"contentBlockIndex": index})
        index += 1
    yield framed("messageStop", {"stopReason": "tool_use" if turn.calls else "end_turn"})
    used = turn.used
    usage = {"inputTokens": used.input, "outputTokens": used.output, "cacheReadInputTokens": used.cached}
    usage |= {"cacheWriteInputTokens": used.written, "totalTokens": sum(used.tuple()[:4])}
    yield framed("metadata", {"usage": usage, "metrics": {"latencyMs": 42}})
