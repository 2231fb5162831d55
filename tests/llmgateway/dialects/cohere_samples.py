"""Cohere's chat as its API reference shows it, and what its tests read and write it with."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from dataplane import sse
from llmgateway.proxy.conversation.answer import Answer
from llmgateway.proxy.conversation.events import Event
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Reasoning, Signature, ToolCall
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.providers import VENDORS
from tests.llmgateway.dialects import strategies as drawn

FACTS = next(facts for facts in VENDORS if facts.slug == "cohere")
TARGET = Target("cohere", "command-a-03-2025", FACTS)
ASKED = Asked(Request(), {}, "command", "req_1", 1_700_000_000)

PLAN, THINKING = Signature("cohere", "plan"), Signature("cohere", "thinking")


def losses() -> Losses:
    return Losses(TARGET.label)


def read(data: bytes, size: int = 0) -> list[Event]:
    reader = DIALECT.reader()
    pieces = [data[place : place + size] for place in range(0, len(data), size)] if size else [data]
    return [event for piece in pieces for event in reader.feed(piece)] + reader.finish()


def told(events: list[Event]) -> bytes:
    writer = DIALECT.writer(ASKED)
    return b"".join(writer.write(event) for event in events)


def stream(*events: tuple[str, Any], ending: bytes = b"\n") -> bytes:
    raw = b"".join(
        sse.event(json.dumps({"type": kind, **fields}, ensure_ascii=False).encode(), name=kind.encode()) for kind, fields in events
    )
    return raw.replace(b"\n", ending)


def message(**inner: Any) -> dict[str, Any]:
    return {"delta": {"message": inner}}


def bare(answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, extra={}, model="", created=0)


def ordered(parts: list[AnyPart]) -> list[AnyPart]:
    """Content, plans, calls: the places that a whole message has, each in its order."""
    return sorted(parts, key=lambda part: 2 if isinstance(part, ToolCall) else int(part.signature == PLAN))


FULL = {
    "model": "command-a-reasoning-08-2025",
    "stream": True,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "tool_plan": "I look it up.",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "One moment."}],
            "tool_calls": [
                {"id": "a1", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}},
                {"id": "a2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
            "citations": [
                {
                    "start": 0,
                    "end": 3,
                    "text": "One",
                    "content_index": 1,
                    "type": "TEXT_CONTENT",
                    "sources": [
                        {"type": "document", "id": "d1", "document": {"title": "t", "snippet": "s"}},
                        {"type": "document", "id": "d2"},
                    ],
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a1", "content": "a cat"},
        {
            "role": "tool",
            "tool_call_id": "a2",
            "content": [{"type": "document", "document": {"data": {"hour": 12, "zone": "UTC"}}}, {"type": "text", "text": "noon"}],
        },
        {"role": "system", "content": "Now answer."},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}},
    ],
    "strict_tools": True,
    "tool_choice": "REQUIRED",
    "documents": ["a text", {"data": {"title": "t"}, "id": "d1"}],
    "citation_options": {"mode": "FAST"},
    "safety_mode": "STRICT",
    "priority": 3,
    "response_format": {"type": "json_object", "json_schema": {"type": "object", "required": ["a"]}},
    "max_tokens": 100,
    "stop_sequences": ["END"],
    "temperature": 0.3,
    "seed": 7,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "k": 10,
    "p": 0.9,
    "logprobs": True,
    "thinking": {"type": "enabled", "token_budget": 512},
}

CITATION = {
    "start": 4,
    "end": 9,
    "text": "Größe",
    "sources": [{"type": "document", "id": "doc:0", "document": {"id": "doc:0", "title": "Pinguine", "snippet": "Sie sind groß. 🐧"}}],
    "type": "TEXT_CONTENT",
}
USAGE = {
    "billed_units": {"input_tokens": 34.0, "output_tokens": 14.0},
    "tokens": {"input_tokens": 721.0, "output_tokens": 59.0},
    "cached_tokens": 600.0,
}
BEGIN = ("message-start", {"id": "29f14a5a", **message(role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])})


def ended(reason: str, **more: Any) -> tuple[str, Any]:
    return "message-end", {"delta": {"finish_reason": reason, "usage": USAGE, **more}}


def call(place: int, id_: str, *pieces: str) -> list[tuple[str, Any]]:
    start = message(tool_calls={"id": id_, "type": "function", "function": {"name": "look", "arguments": ""}})
    grown = [("tool-call-delta", {"index": place, **message(tool_calls={"function": {"arguments": piece}})}) for piece in pieces]
    return [("tool-call-start", {"index": place, **start}), *grown, ("tool-call-end", {"index": place})]


def content(kind: str, place: int, *pieces: str) -> list[tuple[str, Any]]:
    start = ("content-start", {"index": place, **message(content={"type": kind, kind: ""})})
    return [start, *(("content-delta", {"index": place, **message(content={kind: piece})}) for piece in pieces)]


def citing(place: int) -> list[tuple[str, Any]]:
    return [("citation-start", {"index": place, **message(citations=CITATION)}), ("citation-end", {"index": place})]


STREAMS: dict[str, tuple[list[tuple[str, Any]], Any]] = {
    "text with citations": (
        [
            BEGIN,
            *content("text", 0, "Die ", "Größe", " zählt 🐧."),
            *citing(0),
            *citing(1),
            ("content-end", {"index": 0}),
            ended("COMPLETE"),
        ],
        {
            "message": {"content": [{"type": "text", "text": "Die Größe zählt 🐧."}], "citations": [CITATION, CITATION]},
            "finish_reason": "COMPLETE",
        },
    ),
    "citations behind the text": (
        [BEGIN, *content("text", 0, "Die Größe"), ("content-end", {"index": 0}), *citing(0), ended("MAX_TOKENS")],
        {"message": {"content": [{"type": "text", "text": "Die Größe"}], "citations": [CITATION]}, "finish_reason": "MAX_TOKENS"},
    ),
    "plan and calls": (
        [
            BEGIN,
            ("tool-plan-delta", message(tool_plan="I ")),
            ("tool-plan-delta", message(tool_plan="look.")),
            *call(0, "a1", '{"at', '": "Madrid"}'),
            *call(1, "a2", "{}"),
            ended("TOOL_CALL"),
        ],
        {
            "message": {
                "tool_plan": "I look.",
                "tool_calls": [
                    {"id": "a1", "type": "function", "function": {"name": "look", "arguments": '{"at": "Madrid"}'}},
                    {"id": "a2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ],
            },
            "finish_reason": "TOOL_CALL",
        },
    ),
    "thinking": (
        [
            BEGIN,
            *content("thinking", 0, "Well", ", well."),
            ("content-end", {"index": 0}),
            *content("text", 1, "Yes."),
            ("content-end", {"index": 1}),
            ("debug", {"prompt": "…"}),
            ended("STOP_SEQUENCE"),
        ],
        {
            "message": {"content": [{"type": "thinking", "thinking": "Well, well."}, {"type": "text", "text": "Yes."}]},
            "finish_reason": "STOP_SEQUENCE",
        },
    ),
    "without indexes": (
        [
            BEGIN,
            ("content-start", message(content={"type": "text", "text": "The"})),
            ("content-delta", message(content={"text": " image"})),
            ("content-end", {}),
            ended("ERROR_TOXIC"),
        ],
        {"message": {"content": [{"type": "text", "text": "The image"}]}, "finish_reason": "ERROR_TOXIC"},
    ),
}

said_parts = st.one_of(
    drawn.plain_texts(cited=False),
    drawn.tool_calls(drawn.loose_arguments),
    st.builds(Reasoning, text=drawn.texts, signature=st.sampled_from((PLAN, THINKING))),
)
counts = drawn.usages(written=False).map(lambda usage: {**usage, "reasoning": 0})


def one_plan(answer: Answer) -> Answer:
    """A message has one plan, in one place: further ones are thoughts."""
    planned = False
    for part in answer.candidates[0].parts:
        if isinstance(part, Reasoning) and part.signature == PLAN:
            part.signature, planned = (THINKING, planned) if planned else (PLAN, True)
    return answer
