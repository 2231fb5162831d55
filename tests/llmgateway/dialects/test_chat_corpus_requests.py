"""Every recorded chat request, read into the conversation and written for the vendor it was recorded with."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import same
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases
from tests.llmgateway.dialects.chat_kit import cassettes, target

DEFAULTS = (("stream", False), ("n", 1), ("prefix", False), ("tool_calls", []), ("reasoning_content", ""), ("description", ""))
HOUSES = {"stream_options": {"include_usage": True}}


def same_saying(body: dict[str, Any]) -> dict[str, Any]:
    """The body in one spelling of what says the same: null, empty lists and defaults are left out, content is an array,
    instructions at the head are one message, a stop is a list, the limit has its newer name, and the house asks for usage
    by itself."""
    said = {name: value for name, value in body.items() if value is not None and (name, value) not in DEFAULTS}
    if "max_tokens" in said:
        said["max_completion_tokens"] = said.pop("max_tokens")
    if said.get("tool_choice") == "any":
        said["tool_choice"] = "required"
    said["messages"] = _one_head([_message(message) for message in body["messages"]])
    if "tools" in said:
        said["tools"] = [_tool(tool) for tool in said["tools"]]
    if isinstance(said.get("stop"), str):
        said["stop"] = [said["stop"]]
    if said.get("stream") and said.get("stream_options", HOUSES["stream_options"]) == HOUSES["stream_options"]:
        said.pop("stream_options", None)
    return said


def _message(message: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in message.items() if value is not None and (name, value) not in DEFAULTS}
    content = said.pop("content", None)
    pieces = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
    if pieces:
        said["content"] = [_marked(piece) for piece in pieces]
    if "tool_calls" in said:
        said["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in said["tool_calls"]]
    return said


def _one_head(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    head = 0
    while head < len(messages) and messages[head]["role"] in ("system", "developer"):
        head += 1
    pieces = [piece for message in messages[:head] for piece in message["content"]]
    return [{"role": "system", "content": pieces}, *messages[head:]] if head else messages


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type", "function") != "function":
        return tool
    function = {name: value for name, value in tool["function"].items() if (name, value) not in DEFAULTS}
    return _marked({"type": "function"} | tool | {"function": function})


def _marked(piece: dict[str, Any]) -> dict[str, Any]:
    if piece.get("cache_control") == {"type": "ephemeral", "ttl": "5m"}:
        return piece | {"cache_control": {"type": "ephemeral"}}
    return piece


@pytest.mark.parametrize("cassette", cases(cassettes()))
def test_a_recorded_request_comes_out_as_it_went_in(cassette: Cassette) -> None:
    losses = Losses("the vendor itself")

    request = DIALECT.parse_request(cassette.body, "", False)
    written = DIALECT.render_request(request, target(cassette.provider, cassette.model), losses)

    assert losses.fields == []
    assert losses.hints == []
    assert same_saying(written) == same_saying(cassette.body)


@pytest.mark.parametrize("cassette", cases(cassettes()))
def test_a_recorded_request_is_read_the_same_when_it_is_written_again(cassette: Cassette) -> None:
    request = DIALECT.parse_request(cassette.body, "", False)

    again = DIALECT.parse_request(DIALECT.render_request(request, target(cassette.provider, cassette.model), Losses("")), "", False)

    again.stream_usage = request.stream_usage
    again.answers = again.answers or request.answers
    assert same(request, again)
