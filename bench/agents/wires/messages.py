"""Anthropic Messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.agents.turns import Asked, Call, Item, Proof, Result, Turn
from bench.agents.wires.pieces import dumped, event, pieces

CONTENT_TYPE = "text/event-stream; charset=utf-8"
FLAGS = CACHES = True
CUSTOMS = False


def call_id(number: int, place: int) -> str:
    return f"toolu_01{number:04d}{place:02d}abcDEF"


def proof(number: int) -> str:
    return f"EqoB{number:04d}+/CkYIBRgCKkD=="


def read(body: Any) -> Asked:
    items: list[Item] = []
    for message in body["messages"]:
        content = message["content"]
        for block in content if isinstance(content, list) else ():
            items += _items(block)
    return Asked(tuple(tool["name"] for tool in body.get("tools", ())), tuple(items), dumped(body))


def _items(block: Any) -> Iterator[Item]:
    match block["type"]:
        case "thinking":
            yield Proof(block["signature"])
        case "tool_use":
            yield Call(block["id"], block["name"], block["input"])
        case "tool_result":
            held = block.get("content") or []
            parts = [{"type": "text", "text": held}] if isinstance(held, str) else held
            texts = "\n".join(part["text"] for part in parts if part["type"] == "text")
            images = sum(part["type"] == "image" for part in parts)
            yield Result(block["tool_use_id"], texts, images, block.get("is_error", False))


def stream(turn: Turn, number: int, model: str) -> Iterator[bytes]:
    used = turn.used
    counts = {
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.written,
        "cache_read_input_tokens": used.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": used.written, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
    }
    message = {"model": model, "id": f"msg_01{number:06d}", "type": "message", "role": "assistant", "content": []}
    begun = {**message, "stop_reason": None, "stop_sequence": None, "usage": {**counts, "output_tokens": 1}}
    yield event({"type": "message_start", "message": begun}, "message_start")
    yield event({"type": "ping"}, "ping")
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if turn.proof:
        said = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(turn.thought)]
        opened = {"type": "thinking", "thinking": "", "signature": ""}
        blocks.append((opened, [*said, {"type": "signature_delta", "signature": turn.proof}]))
    if turn.text:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(turn.text)]))
    for call in turn.calls:
        written = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(dumped(call.arguments)))]
        blocks.append(({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, written))
    for index, (block, deltas) in enumerate(blocks):
        yield event({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start")
        for delta in deltas:
            yield event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
        yield event({"type": "content_block_stop", "index": index}, "content_block_stop")
    stop = {"stop_reason": "tool_use" if turn.calls else "end_turn", "stop_sequence": None}
    end = {name: count for name, count in counts.items() if name.endswith("_input_tokens") or name == "input_tokens"}
    yield event({"type": "message_delta", "delta": stop, "usage": {**end, "output_tokens": used.output}}, "message_delta")
    yield event({"type": "message_stop"}, "message_stop")
