"""OpenAI Responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bench.agents.turns import Asked, Call, Item, Proof, Result, Turn
from bench.agents.wires.pieces import dumped, event, pieces

CONTENT_TYPE = "text/event-stream; charset=utf-8"
FLAGS = CACHES = False
CUSTOMS = True


def call_id(number: int, place: int) -> str:
    return f"call_{number:04d}{place:02d}QwErTyUiOpAsDfGh"


def proof(number: int) -> str:
    return f"gAAAAAB{number:06d}_-x=="


def read(body: Any) -> Asked:
    items = [item for raw in body["input"] for item in _items(raw)]
    offered = [*body.get("tools", ()), *(tool for raw in body["input"] if raw.get("type") == "additional_tools" for tool in raw["tools"])]
    inner = [one for tool in offered for one in tool.get("tools", ())]
    return Asked(tuple(tool.get("name", tool["type"]) for tool in (*offered, *inner)), tuple(items), dumped(body))


def _items(raw: Any) -> Iterator[Item]:
    match raw.get("type"):
        case "reasoning":
            yield Proof(raw.get("encrypted_content") or "")
        case "function_call":
            yield Call(raw["call_id"], raw["name"], json.loads(raw["arguments"]))
        case "custom_tool_call":
            yield Call(raw["call_id"], raw["name"], raw["input"])
        case "function_call_output" | "custom_tool_call_output":
            held = raw["output"]
            parts = [{"type": "input_text", "text": held}] if isinstance(held, str) else held
            texts = "\n".join(part["text"] for part in parts if part["type"] == "input_text")
            yield Result(raw["call_id"], texts, sum(part["type"] == "input_image" for part in parts))


def stream(turn: Turn, number: int, model: str) -> Iterator[bytes]:
    sequence = 0

    def told(kind: str, **fields: Any) -> bytes:
        nonlocal sequence
        sequence += 1
        return event({"type": kind, "sequence_number": sequence - 1, **fields}, kind)

    response = {"id": f"resp_{number:06d}", "object": "response", "created_at": 1764000000, "model": model, "error": None}
    response |= {"incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "store": False}
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield told("response.created", response=begun)
    yield told("response.in_progress", response=begun)
    output = list(_output(turn, number))
    for index, (item, parts) in enumerate(output):
        place = {"item_id": item["id"], "output_index": index}
        yield told("response.output_item.added", output_index=index, item=_opened(item))
        for kind, fields in parts:
            yield told(kind, **place, **fields)
        yield told("response.output_item.done", output_index=index, item=item)
    used = turn.used
    prompt = used.input + used.cached
    usage = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": used.cached},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.thought},
        "total_tokens": prompt + used.output,
    }
    yield told("response.completed", response={**response, "status": "completed", "output": [item for item, _ in output], "usage": usage})


def _opened(item: dict[str, Any]) -> dict[str, Any]:
    empty = {"arguments": "", "input": "", "content": [], "summary": [], "status": "in_progress"}
    return {name: empty.get(name, value) for name, value in item.items()}


Part = tuple[str, dict[str, Any]]


def _output(turn: Turn, number: int) -> Iterator[tuple[dict[str, Any], list[Part]]]:
    """Items as they are in the end, with the events between their beginning and their end."""
    if turn.proof:
        summary = {"type": "summary_text", "text": turn.thought}
        item = {"id": f"rs_{number:06d}", "type": "reasoning", "summary": [summary], "encrypted_content": turn.proof}
        place = {"summary_index": 0}
        parts: list[Part] = [("response.reasoning_summary_part.added", {**place, "part": {"type": "summary_text", "text": ""}})]
        parts += [("response.reasoning_summary_text.delta", {**place, "delta": piece}) for piece in pieces(turn.thought)]
        parts += [("response.reasoning_summary_text.done", {**place, "text": turn.thought})]
        yield item, [*parts, ("response.reasoning_summary_part.done", {**place, "part": summary})]
    if turn.text:
        text = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
        place = {"content_index": 0}
        parts = [("response.content_part.added", {**place, "part": {**text, "text": ""}})]
        parts += [("response.output_text.delta", {**place, "delta": piece, "logprobs": []}) for piece in pieces(turn.text)]
        parts += [("response.output_text.done", {**place, "text": turn.text, "logprobs": []})]
        parts += [("response.content_part.done", {**place, "part": text})]
        yield {"id": f"msg_{number:06d}", "type": "message", "status": "completed", "role": "assistant", "content": [text]}, parts
    for place_of_call, call in enumerate(turn.calls):
        yield _call(call, f"{number:06d}{place_of_call}")


def _call(call: Call, mark: str) -> tuple[dict[str, Any], list[Part]]:
    if isinstance(call.arguments, str):
        kind, field, ident, text = "custom_tool_call", "input", f"ctc_{mark}", call.arguments
    else:
        kind, field, ident, text = "function_call", "arguments", f"fc_{mark}", dumped(call.arguments)
    item = {"id": ident, "type": kind, "status": "completed", "call_id": call.id, "name": call.name, field: text}
    stem = f"response.{kind}_{field}" if field == "input" else f"response.{kind}_arguments"
    return item, [*((f"{stem}.delta", {"delta": piece}) for piece in pieces(text)), (f"{stem}.done", {field: text})]
