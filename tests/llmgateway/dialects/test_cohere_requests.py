"""Cohere's chat requests: the recorded ones, one with everything, and what hypothesis finds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Text, ToolResult, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.cohere_samples import (
    FULL,
    TARGET,
    losses,
    ordered,
)

CHATS = cases(select(["cohere"], ["chat"]))


@pytest.mark.parametrize("cassette", CHATS)
def test_a_recorded_request_is_written_as_it_was_read(cassette: Cassette) -> None:
    request = DIALECT.parse_request(cassette.body, "", False)
    lost = losses()

    assert DIALECT.render_request(request, TARGET._replace(model=request.model), lost) == cassette.body

    assert (lost.fields, lost.hints) == ([], [])


def test_a_request_with_everything_is_written_as_it_was_read() -> None:
    request = DIALECT.parse_request(FULL, "", False)
    lost = losses()
    assert DIALECT.render_request(request, TARGET._replace(model=FULL["model"]), lost) == FULL
    assert (lost.fields, lost.hints) == ([], [])
    assert [text.text for text in request.system] == ["Be brief.", "Be kind."]
    results = request.messages[2].parts
    assert [part.call_id for part in results if isinstance(part, ToolResult)] == ["a1", "a2"]
    assert same(results[1], ToolResult(call_id="a2", content=[Text(text='{"hour":12,"zone":"UTC"}'), Text(text="noon")]))


slots = ("max_output", "top_k", "stop", "seed", "logprobs", "format")


@settings(max_examples=60)
@given(drawn.requests(user=st.one_of(drawn.plain_texts(), drawn.images, drawn.detailed_images), said=slots))
def test_what_cohere_can_say_of_a_request_is_read_back_the_same(request: Request) -> None:
    if request.tool_choice is not None and request.tool_choice.mode in ("auto", "tool"):
        request.tool_choice = None
    if request.format is not None:
        request.format.name, request.format.strict = "", None
    body = msgspec.json.decode(msgspec.json.encode(DIALECT.render_request(request, TARGET, lost := losses())))

    back = DIALECT.parse_request(body, "", False)

    assert (lost.fields, lost.hints) == ([], [])
    back.model = request.model
    for made in (request, back):
        for said in made.messages:
            said.parts = ordered(said.parts)
            for part in said.parts:
                if isinstance(part, ToolResult):
                    part.name = ""
    assert same(back, request)


@settings(max_examples=40)
@given(drawn.json_values)
def test_no_json_makes_reading_a_request_crash(value: Any) -> None:
    shapes = [value, {"messages": value}, {"tools": value}, {"thinking": value, "response_format": value, "tool_choice": value}]
    shapes += [{"messages": [{"role": role, "content": value, "tool_call_id": "a"}]} for role in ("user", "assistant", "system", "tool")]
    shapes += [{"messages": [{"role": role, "content": [value], "tool_call_id": "a"}]} for role in ("user", "tool")]
    shapes += [{"messages": [{"role": "assistant", "tool_calls": [value], "citations": value}]}, {"tools": [{"function": value}]}]
    for shape in shapes:
        try:
            request = DIALECT.parse_request(shape, "", False)
        except BadRequest:
            continue
        DIALECT.render_request(request, TARGET, losses())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("text", None),
        ({"messages": 1}, "messages"),
        ({"messages": [{"role": "CHATBOT", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0].function"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"k": 1.5}, "k"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        DIALECT.parse_request(body, "", False)
    assert (refused.value.param, refused.value.code) == (param, "invalid_type")


def test_what_nobody_knows_is_kept_by_its_path() -> None:
    body = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "lang": "en"}], "mood": 1}],
        "tools": [{"type": "function", "function": {"name": "a", "version": 2}}],
        "thinking": {"type": "disabled", "style": "x"},
        "raw_prompting": True,
    }
    request = DIALECT.parse_request(body, "", False)
    assert request.extra == {
        "messages[0].content[0].lang": "en",
        "messages[0].mood": 1,
        "tools[0].function.version": 2,
        "thinking.style": "x",
        "raw_prompting": True,
    }
    lost = losses()
    DIALECT.render_request(request, TARGET, lost)
    assert lost.fields == list(request.extra)
