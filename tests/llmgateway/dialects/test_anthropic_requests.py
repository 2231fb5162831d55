"""Messages requests are read without loss, and written so that Anthropic takes them."""

from __future__ import annotations

import copy

import pytest

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import (
    Cache,
    File,
    Image,
    Json,
    Special,
    same,
)
from llmgateway.proxy.conversation.request import Format, Thinking, Tool, ToolChoice, VendorTool
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects.anthropic_kit import parsed, rendered

RECORDED = select(("anthropic",), ("messages", "count_tokens"))
PIXEL = "iVBORw0KGgoAAAANSUhEUg=="


def as_blocks(content: Json) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def one_way(body: Json) -> Json:
    """A request in the one way in which the house says it. Each rule is two spellings of the same."""
    body = {name: value for name, value in copy.deepcopy(body).items() if value is not None}
    if "system" in body:
        body["system"] = [block(one) for one in as_blocks(body["system"])]
    turns: list[Json] = []
    for message in body["messages"]:
        content = [block(one) for one in as_blocks(message["content"])]
        if turns and turns[-1]["role"] == message["role"]:  # consecutive turns of one role are one turn
            turns[-1]["content"] += content
        else:
            turns.append({"role": message["role"], "content": content})
    body["messages"] = turns
    for tool in body.get("tools", []):
        if tool.get("type") == "custom":  # as without a type
            del tool["type"]
        if tool.get("description") == "":
            del tool["description"]
    if body.get("tools") == []:
        del body["tools"]
    if body.get("stream") is False:
        del body["stream"]
    return marked(body)


def marked(holder: Json) -> Json:
    if holder.get("cache_control", {}).get("ttl") == "5m":  # five minutes when nothing is said
        del holder["cache_control"]["ttl"]
    return holder


def block(raw: Json) -> Json:
    raw = marked({name: value for name, value in raw.items() if value is not None})
    if raw["type"] == "tool_result":
        if raw.get("is_error") is False:
            del raw["is_error"]
        if "content" in raw:
            raw["content"] = [block(one) for one in as_blocks(raw["content"])]
    return raw


@pytest.mark.parametrize("cassette", cases(RECORDED))
def test_a_recorded_request_comes_out_as_it_went_in(cassette: Cassette) -> None:
    body, losses = rendered(parsed(cassette.body), cassette.model)

    assert losses.fields == []
    assert losses.hints == []
    expected = one_way(cassette.body)
    if cassette.kind == "count_tokens" and "max_tokens" not in expected:
        del body["max_tokens"]
    assert one_way(body) == expected


def test_what_has_no_slot_is_told_by_its_path_and_comes_back_where_it_stood() -> None:
    body = {
        "max_tokens": 5,
        "container": "c1",
        "mcp_servers": [{"type": "url", "url": "https://example.com", "name": "m"}],
        "new_field": {"a": 1},
        "tools": [{"name": "t", "input_schema": {"type": "object"}, "input_examples": [{}]}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png", "x": 1}, "transformations": {}},
                    {"type": "search_result", "source": "s", "title": "t", "content": []},
                    {"type": "document", "source": {"type": "content", "content": "c"}},
                ],
            },
            {"role": "system", "content": "Be brief.", "clear_at": "never"},
        ],
    }
    request = parsed(body)

    assert set(request.extra) == {
        "container",
        "mcp_servers",
        "new_field",
        "tools[0].input_examples",
        "messages[0].content[0].source.x",
        "messages[0].content[0].transformations",
        "messages[1].clear_at",
    }
    assert [type(part) for part in request.messages[0].parts] == [Image, Special, Special]
    written, losses = rendered(request, "claude-opus-4-8")
    assert losses.fields == []
    assert one_way({**written, "messages": []}) == one_way({**body, "model": "claude-opus-4-8", "messages": []})
    assert written["messages"][0] == body["messages"][0]  # type: ignore[index]
    assert written["messages"][1] == {"role": "system", "content": [{"type": "text", "text": "Be brief."}], "clear_at": "never"}


def test_a_result_with_a_reference_to_a_tool_stays_whole() -> None:
    result = {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "tool_reference", "tool_name": "t"}]}
    call = {"type": "tool_use", "id": "c", "name": "ToolSearch", "input": {}}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "text", "text": "Well?"}, result]},
    ]
    request = parsed({"messages": messages, "max_tokens": 1})

    assert same(request.messages[2].parts[1], Special(vendor="anthropic", kind="tool_result", raw=result))
    body, losses = rendered(request)
    assert losses.fields == []
    assert body["messages"][2]["content"] == [result, {"type": "text", "text": "Well?"}]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], "the body"),
        ({}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "{}"}]}]},
            "messages[0].content[0].input",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [1]}]}]},
            "messages[0].content[0].content[0]",
        ),
        ({"messages": [], "max_tokens": "5"}, "max_tokens"),
        ({"messages": [], "max_tokens": True}, "max_tokens"),
        ({"messages": [], "stop_sequences": [1]}, "stop_sequences[0]"),
        ({"messages": [], "tools": [{"name": 1}]}, "tools[0].name"),
        ({"messages": [], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"messages": [], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"messages": [], "thinking": {"type": "enabled", "budget_tokens": "many"}}, "thinking.budget_tokens"),
        ({"messages": [], "output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"messages": [], "system": [{"type": "image", "source": {"type": "url", "url": "u"}}]}, "system"),
    ],
)
def test_a_field_of_a_wrong_type_is_named(body: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(body)

    assert refused.value.param == param
    assert refused.value.code == "invalid_type"


def test_options_find_their_slots() -> None:
    request = parsed(
        {
            "messages": [],
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 4,
            "stop_sequences": ["a"],
            "service_tier": "standard_only",
            "stream": True,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
            "metadata": {"user_id": "u", "team": "t"},
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
            "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            "tools": [{"type": "web_search_20250305", "name": "web_search"}, {"name": "f", "strict": True}],
        }
    )

    assert (request.max_output, request.temperature, request.top_p, request.top_k, request.stop) == (9, 0.5, 0.9, 4, ["a"])
    assert (request.service_tier, request.stream, request.cache, request.user) == ("standard_only", True, Cache("1h"), "u")
    assert request.hints == {"metadata.team": "t"}
    assert (request.tool_choice, request.parallel_tools) == (ToolChoice("any"), False)
    assert request.thinking == Thinking(enabled=True, budget=2048, effort="max", show="none")
    assert request.format == Format("schema", schema={"type": "object"})
    assert isinstance(request.tools[0], VendorTool)
    assert isinstance(request.tools[1], Tool)
    assert request.tools[1].strict is True
    assert request.field("max_output") == "max_tokens"
    assert request.field("stop") == "stop_sequences"


def test_an_effort_alone_is_named_as_it_was_written() -> None:
    request = parsed({"messages": [], "output_config": {"effort": "low"}})

    assert request.thinking == Thinking(effort="low")
    assert request.field("thinking") == "output_config.effort"


def test_the_forerunner_of_output_config_is_read_and_named_as_it_was_written() -> None:
    request = parsed({"messages": [], "output_format": {"type": "json_schema", "schema": {"type": "object"}}})

    assert request.format == Format("schema", schema={"type": "object"})
    assert request.field("format") == "output_format"


def test_documents_of_every_source_are_files() -> None:
    def document(source: Json, **more: Json) -> Json:
        return {"type": "document", "source": source, **more}

    content = [
        document({"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}, title="T", context="C"),
        document({"type": "text", "media_type": "text/plain", "data": "Hi"}, citations={"enabled": True}),
        document({"type": "url", "url": "https://e.com/a.pdf"}),
        document({"type": "file", "file_id": "f"}, cache_control={"type": "ephemeral"}),
    ]
    request = parsed({"messages": [{"role": "user", "content": content}]})

    assert same(
        request.messages[0].parts,
        [
            File(data="JVBERg==", media_type="application/pdf", title="T", context="C"),
            File(text="Hi", media_type="text/plain", citations=True),
            File(url="https://e.com/a.pdf"),
            File(file_id="f", cache=Cache()),
        ],
    )
    body, losses = rendered(request)
    assert body["messages"][0]["content"] == content
    assert losses.fields == []
