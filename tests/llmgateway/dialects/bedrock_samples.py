"""Converse as AWS's API reference shapes it: no recording of a real exchange exists, so these are written after the service
model of bedrock-runtime. Each stream tells the same as the whole answer of its name."""

from __future__ import annotations

from typing import Any

import msgspec

from llmgateway.proxy.dialects.bedrock.eventstream import event

Json = Any


def stream(*told: tuple[str, Json]) -> bytes:
    return b"".join(event(kind, msgspec.json.encode(payload)) for kind, payload in told)


def start(place: int, **what: Json) -> tuple[str, Json]:
    return "contentBlockStart", {"start": what, "contentBlockIndex": place}


def delta(place: int, **what: Json) -> tuple[str, Json]:
    return "contentBlockDelta", {"delta": what, "contentBlockIndex": place}


def stop(place: int) -> tuple[str, Json]:
    return "contentBlockStop", {"contentBlockIndex": place}


BEGIN = ("messageStart", {"role": "assistant", "p": "abcdefghijkl"})
"""With the padding that Bedrock puts into events against guesses from their lengths."""

USAGE = {"inputTokens": 30, "outputTokens": 628, "totalTokens": 658}
CACHED = {
    "inputTokens": 12,
    "outputTokens": 40,
    "totalTokens": 3252,
    "cacheReadInputTokens": 2048,
    "cacheWriteInputTokens": 1152,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 1024}, {"ttl": "5m", "inputTokens": 128}],
}


def end(reason: str, usage: Json = USAGE, **fields: Json) -> tuple[tuple[str, Json], tuple[str, Json]]:
    return ("messageStop", {"stopReason": reason, **fields}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 1275}})


def whole(content: list[Json], reason: str, usage: Json = USAGE, **fields: Json) -> Json:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": usage,
        "metrics": {"latencyMs": 1275},
        **fields,
    }


_CITATION = {
    "title": "Penguins",
    "source": "penguins.pdf",
    "sourceContent": [{"text": "Emperor penguins are the tallest."}],
    "location": {"documentPage": {"documentIndex": 0, "start": 3, "end": 4}},
}
_WEB = {"title": "News", "location": {"web": {"url": "https://example.com/news", "domain": "example.com"}}}
_SEARCH = {"toolUseId": "srvtoolu_1", "name": "web_search", "type": "server_tool_use"}

ANSWERS: dict[str, tuple[Json, bytes]] = {
    "text": (
        whole([{"text": "Grüße aus Köln 🎉, hier sind drei Lieder."}], "end_turn"),
        stream(
            BEGIN,
            delta(0, text="Grüße aus "),
            delta(0, text="Köln 🎉, hier"),
            delta(0, text=" sind drei Lieder."),
            stop(0),
            *end("end_turn"),
        ),
    ),
    "tools": (
        whole(
            [
                {"text": "I look that up."},
                {"toolUse": {"toolUseId": "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "name": "top_song", "input": {"sign": "WZPZ"}}},
                {"toolUse": {"toolUseId": "tooluse_b", "name": "now", "input": {}}},
            ],
            "tool_use",
            CACHED,
        ),
        stream(
            BEGIN,
            delta(0, text="I look that up."),
            stop(0),
            start(1, toolUse={"toolUseId": "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "name": "top_song"}),
            delta(1, toolUse={"input": '{"sign"'}),
            delta(1, toolUse={"input": ':"WZPZ"}'}),
            stop(1),
            start(2, toolUse={"toolUseId": "tooluse_b", "name": "now"}),
            delta(2, toolUse={"input": "{}"}),
            stop(2),
            *end("tool_use", CACHED),
        ),
    ),
    "reasoning": (
        whole(
            [
                {"reasoningContent": {"reasoningText": {"text": "First, the facts.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}}},
                {"reasoningContent": {"redactedContent": "EmwKAhgBEgy3va3p"}},
                {"text": "42"},
            ],
            "max_tokens",
        ),
        stream(
            BEGIN,
            delta(0, reasoningContent={"text": "First, "}),
            delta(0, reasoningContent={"text": "the facts."}),
            delta(0, reasoningContent={"signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}),
            stop(0),
            delta(1, reasoningContent={"redactedContent": "EmwKAhgBEgy3va3p"}),
            stop(1),
            delta(2, text="42"),
            stop(2),
            *end("max_tokens"),
        ),
    ),
    "citations": (
        whole([{"citationsContent": {"content": [{"text": "The tallest are emperors."}], "citations": [_CITATION, _WEB]}}], "end_turn"),
        stream(
            BEGIN,
            delta(0, text="The tallest "),
            delta(0, citation=_CITATION),
            delta(0, text="are emperors."),
            delta(0, citation=_WEB),
            stop(0),
            *end("end_turn"),
        ),
    ),
    "guarded": (
        whole([{"text": "Sorry, I can't help with that."}], "guardrail_intervened"),
        stream(BEGIN, delta(0, text="Sorry, I can't help with that."), stop(0), *end("guardrail_intervened")),
    ),
    "stop sequence": (
        whole([{"text": "one two"}], "stop_sequence", additionalModelResponseFields={"stop_sequence": "three"}),
        stream(BEGIN, delta(0, text="one two"), stop(0), *end("stop_sequence", additionalModelResponseFields={"stop_sequence": "three"})),
    ),
    "served tools": (
        whole(
            [
                {"toolUse": {**_SEARCH, "input": {"query": "news"}}},
                {"toolResult": {"toolUseId": "srvtoolu_1", "type": "web_search_result", "content": [{"text": "a page"}]}},
                {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
                {"text": "Here."},
            ],
            "end_turn",
        ),
        stream(
            BEGIN,
            start(0, toolUse=_SEARCH),
            delta(0, toolUse={"input": '{"query":'}),
            delta(0, toolUse={"input": '"news"}'}),
            stop(0),
            start(1, toolResult={"toolUseId": "srvtoolu_1", "type": "web_search_result"}),
            delta(1, toolResult=[{"text": "a page"}]),
            stop(1),
            start(2, image={"format": "png"}),
            delta(2, image={"source": {"bytes": "iVBO"}}),
            delta(2, image={"source": {"bytes": "Rw0KGgo="}}),
            stop(2),
            delta(3, text="Here."),
            stop(3),
            *end("end_turn"),
        ),
    ),
    "window": (
        whole([{"text": "and so"}], "model_context_window_exceeded"),
        stream(BEGIN, delta(0, text="and so"), stop(0), *end("model_context_window_exceeded")),
    ),
}

NEWER = "anthropic.claude-opus-5"
OLDER = "anthropic.claude-3-5-sonnet-20241022-v2:0"
MODEL = "eu.anthropic.claude-sonnet-4-6-20260115-v1:0"

SYSTEM_TURN = "a system message on the way"
"""Of a generation that takes it: NEWER."""

REQUESTS: dict[str, Json] = {
    "plain": {
        "system": [{"text": "You are an app that creates playlists."}],
        "messages": [{"role": "user", "content": [{"text": "Create a list of 3 pop songs."}]}],
        "inferenceConfig": {"maxTokens": 512, "temperature": 0.5, "stopSequences": ["END"]},
        "additionalModelRequestFields": {"top_k": 200},
    },
    "tools": {
        "messages": [
            {"role": "user", "content": [{"text": "What is the most popular song on WZPZ?"}]},
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "A tool knows.", "signature": "EqQB"}}},
                    {"reasoningContent": {"redactedContent": "EmwK"}},
                    {"text": "I look."},
                    {"toolUse": {"toolUseId": "tooluse_1", "name": "top_song", "input": {"sign": "WZPZ", "depth": 1.5}}},
                    {"toolUse": {"toolUseId": "tooluse_2", "name": "now", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "toolResult": {
                            "toolUseId": "tooluse_1",
                            "content": [{"json": {"song": "Elemental Hotel", "artist": "8 Storey Hike"}}],
                        }
                    },
                    {
                        "toolResult": {
                            "toolUseId": "tooluse_2",
                            "status": "error",
                            "content": [{"text": "no clock"}, {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}}],
                        }
                    },
                    {"text": "Go on."},
                ],
            },
        ],
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "top_song",
                        "description": "Get the most popular song played on a radio station.",
                        "inputSchema": {"json": {"type": "object", "properties": {"sign": {"type": "string"}}, "required": ["sign"]}},
                        "strict": True,
                    }
                },
                {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
                {"systemTool": {"name": "nova_grounding"}},
            ],
            "toolChoice": {"tool": {"name": "top_song"}},
        },
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 4096}},
    },
    "media": {
        "system": [{"text": "Cite."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "What is in these?"},
                    {"image": {"format": "jpeg", "source": {"bytes": "/9j/4A=="}}},
                    {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/key.webp"}}}},
                    {"image": {"format": "gif", "source": {"s3Location": {"uri": "s3://bucket/key", "bucketOwner": "123456789012"}}}},
                    {
                        "document": {
                            "format": "pdf",
                            "name": "Annual report (2026)",
                            "source": {"bytes": "JVBERg=="},
                            "context": "draft",
                            "citations": {"enabled": True},
                        }
                    },
                    {"document": {"format": "txt", "name": "notes", "source": {"text": "plain notes"}}},
                    {"document": {"format": "csv", "name": "rows", "source": {"content": [{"text": "a,b"}]}}},
                    {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}},
                    {"audio": {"format": "wav", "source": {"bytes": "UklGRg=="}}},
                    {"guardContent": {"text": {"text": "keep an eye on this", "qualifiers": ["guard_content"]}}},
                    {"searchResult": {"source": "https://example.com", "title": "t", "content": [{"text": "hit"}]}},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                ],
            }
        ],
        "guardrailConfig": {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled"},
        "requestMetadata": {"team": "blue"},
        "performanceConfig": {"latency": "optimized"},
        "serviceTier": {"type": "flex"},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"], "thinking": {"type": "adaptive"}},
        "outputConfig": {
            "effort": "high",
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"schema": '{"type":"object","properties":{"a":{"type":"string"}}}', "name": "found"}},
            },
        },
    },
    SYSTEM_TURN: {
        "messages": [
            {"role": "user", "content": [{"text": "Hi."}]},
            {"role": "assistant", "content": [{"citationsContent": {"content": [{"text": "Hello."}], "citations": [_CITATION]}}]},
            {"role": "system", "content": [{"text": "Be brief."}, {"toolAddition": {"tool": {"type": "tool", "name": "now"}}}]},
            {"role": "user", "content": [{"text": "And now?"}]},
        ],
        "outputConfig": {"effort": "low"},
        "promptVariables": {"genre": {"text": "pop"}},
    },
}
