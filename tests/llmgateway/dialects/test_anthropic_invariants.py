"""What holds for any request: none breaks the reader or the writer, and what Anthropic takes comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Json, Text, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.names import NAMED
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.anthropic_kit import NEW, OLD, parsed, rendered

some: SearchStrategy[Any] = drawn.json_values
KINDS = ("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "nobody_knows")
MEMBERS = ("text", "source", "id", "name", "input", "tool_use_id", "content", "thinking", "signature", "data", "cache_control", "citations")
SLOTS = (
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "max_tokens",
    "temperature",
    "stop_sequences",
)

sources = st.fixed_dictionaries(
    {"type": st.sampled_from(("base64", "url", "file", "text", "content"))},
    optional={name: st.text(max_size=5) | some for name in ("data", "url", "file_id", "media_type")},
)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={name: st.text(max_size=5) | sources | some for name in MEMBERS},
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(("user", "assistant", "system"))},
    optional={"content": st.lists(blocks, max_size=3) | some, "clear_at": some},
)
bodies = some | st.fixed_dictionaries(
    {"messages": st.lists(messages, max_size=3) | some},
    optional=dict.fromkeys(SLOTS, some) | {"tools": st.lists(blocks, max_size=2)},
)


@settings(max_examples=120)
@given(bodies, st.sampled_from((OLD, NEW, "other")))
def test_any_json_is_refused_or_read_and_written(body: Json, model: str) -> None:
    try:
        request = parsed(body)
    except BadRequest:
        return
    written, _ = rendered(request, model)
    assert json.loads(msgspec.json.encode(written))["model"] == model


@settings(max_examples=60)
@given(
    drawn.requests(
        user=drawn.plain_texts(cited=True) | drawn.images | drawn.sounds | drawn.documents,
        assistant=drawn.said_parts | drawn.reasoning() | drawn.refusals | drawn.tool_calls(drawn.loose_arguments),
    ),
    st.sampled_from((OLD, NEW, "other")),
)
def test_a_conversation_of_any_dialect_is_written_as_anthropic_takes_it(request: Request, model: str) -> None:
    body, losses = rendered(request, model)

    again = parsed(body)
    roles = [message.role for message in again.messages]
    assert roles == [("user", "assistant")[number % 2] for number in range(len(roles))] or "" in losses.fields
    assert all(part.text for message in again.messages for part in message.parts if isinstance(part, Text))
    assert again.extra == {}
    thinking = body.get("thinking", {})
    assert body["max_tokens"] > thinking.get("budget_tokens", 0)


SAID = ("max_output", "temperature", "top_k", "stop", "user")


@settings(max_examples=60)
@given(
    drawn.requests(
        user=drawn.plain_texts() | drawn.images | drawn.documents,
        assistant=drawn.said_parts | drawn.reasoning(("anthropic",)),
        said=SAID,
    )
)
def test_what_anthropic_takes_comes_back_as_it_was(request: Request) -> None:
    assume(all(text.strip() for text in request.stop))
    body, losses = rendered(request)

    assert (losses.fields, losses.hints) == ([], [])
    again = parsed(json.loads(msgspec.json.encode(body)))
    assert same((again.system, again.messages, again.stream), (request.system, request.messages, request.stream))
    for tool, other in zip(again.tools, request.tools, strict=True):
        assert same(tool, other)
    expected = {slot: getattr(request, slot) for slot in SAID}
    if expected["max_output"] is None:
        expected["max_output"] = body["max_tokens"]
    assert {slot: getattr(again, slot) for slot in SAID} == expected
    if request.tools:
        assert again.tool_choice == request.tool_choice
    assert set(NAMED.values()) <= set(again.named.values())
