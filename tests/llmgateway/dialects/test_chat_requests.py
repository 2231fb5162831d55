"""What a chat request asks for, slot by slot, and how it is written for vendors that differ."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Audio, Cache, File, Image, Reasoning, Signature, Text, ToolCall, ToolResult, same
from llmgateway.proxy.conversation.request import Format, Message, Request, Thinking, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.llmgateway.dialects.chat_kit import target

HELLO = {"role": "user", "content": "Hello"}


def parsed(*messages: Any, **fields: Any) -> Request:
    return DIALECT.parse_request({"model": "m", "messages": list(messages) or [HELLO], **fields}, "", False)


def written(request: Request, vendor: str = "openai", model: str = "gpt-5") -> Any:
    losses = Losses(vendor)
    body = DIALECT.render_request(request, target(vendor, model), losses)
    assert losses.fields == []
    return body


def asking(*parts: Any, role: str = "user", **slots: Any) -> Request:
    return Request(model="m", messages=[Message(role=role, parts=list(parts) or [Text(text="Hello")])], **slots)


def test_instructions_at_the_head_stand_apart_and_later_ones_stay() -> None:
    request = parsed(
        {"role": "system", "content": "One"},
        {"role": "developer", "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "Three"}]},
        HELLO,
        {"role": "developer", "content": "Four"},
    )

    assert [text.text for text in request.system] == ["One", "Two", "Three"]
    assert [message.role for message in request.messages] == ["user", "developer"]
    assert request.system[2].at == "messages[1].content[1]"


def test_an_example_with_a_name_ends_the_head() -> None:
    request = parsed({"role": "system", "content": "Be brief"}, {"role": "system", "name": "example_user", "content": "Hi"}, HELLO)

    assert [text.text for text in request.system] == ["Be brief"]
    assert (request.messages[0].role, request.messages[0].name) == ("system", "example_user")
    assert written(request)["messages"][1] == {"role": "system", "content": "Hi", "name": "example_user"}


@pytest.mark.parametrize(
    ("vendor", "model", "role"),
    [
        ("openai", "gpt-5-mini", "developer"),
        ("openai", "gpt-4o", "system"),
        ("openrouter", "openai/o3", "developer"),
        ("groq", "openai/gpt-5", "developer"),
        ("fireworks", "openai/gpt-5", "system"),
    ],
)
def test_instructions_come_from_a_developer_where_the_model_knows_one(vendor: str, model: str, role: str) -> None:
    request = asking(system=[Text(text="Be brief")])

    assert written(request, vendor, model)["messages"][0] == {"role": role, "content": "Be brief"}


def test_a_run_of_tool_messages_is_one_message_of_results_that_know_their_calls() -> None:
    calls = [{"id": f"call_{n}", "type": "function", "function": {"name": f"tool_{n}", "arguments": "{}"}} for n in (1, 2)]
    results = [{"role": "tool", "tool_call_id": f"call_{n}", "content": f"result {n}"} for n in (1, 2)]

    request = parsed(HELLO, {"role": "assistant", "content": None, "tool_calls": calls}, *results, {"role": "user", "content": "And?"})

    assert [message.role for message in request.messages] == ["user", "assistant", "user", "user"]
    first, second = request.messages[2].parts
    assert isinstance(first, ToolResult)
    assert isinstance(second, ToolResult)
    assert (first.call_id, first.name, second.name, second.at) == ("call_1", "tool_1", "tool_2", "messages[3]")
    assert written(request)["messages"][2:4] == results


def test_functions_of_the_older_kind_are_tools() -> None:
    request = parsed(
        HELLO,
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": '{"a":1}'}},
        {"role": "function", "name": "add", "content": "2"},
        functions=[{"name": "add", "parameters": {"type": "object"}}],
        function_call={"name": "add"},
    )

    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert same(call, ToolCall(id="call_1_0", name="add", arguments='{"a":1}'))
    assert isinstance(result, ToolResult)
    assert result.call_id == "call_1_0"
    assert request.tool_choice == ToolChoice("tool", ["add"])
    assert (request.field("tools"), request.field("tool_choice")) == ("functions", "function_call")
    assert written(request)["tools"] == [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]


def test_data_urls_are_data_and_go_out_as_data_urls() -> None:
    pieces = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]

    request = parsed({"role": "user", "content": pieces})

    image, sound, document, stored = request.messages[0].parts
    assert same(image, Image(data="aGk=", media_type="image/png", detail="low"))
    assert same(sound, Audio(data="aGk=", media_type="audio/mpeg"))
    assert same(document, File(data="aGk=", media_type="application/pdf", title="a.pdf"))
    assert same(stored, File(file_id="file-1"))
    assert written(request)["messages"][0]["content"] == pieces


def test_mistral_names_its_documents_images_and_seed_its_own_way() -> None:
    pieces = [{"type": "document_url", "document_url": "https://example.com/a.pdf", "document_name": "A"}]

    request = parsed({"role": "user", "content": [*pieces, {"type": "image_url", "image_url": "https://example.com/a.png"}]}, random_seed=3)

    assert same(request.messages[0].parts[0], File(url="https://example.com/a.pdf", title="A"))
    assert same(request.messages[0].parts[1], Image(url="https://example.com/a.png"))
    assert (request.seed, request.field("seed")) == (3, "random_seed")
    body = written(request, "mistral")
    assert body["random_seed"] == 3
    assert body["messages"][0]["content"][0] == pieces[0]


def test_mistral_gets_ids_of_nine_letters_and_digits_the_same_for_call_and_result() -> None:
    request = asking(Text(text="Hi"))
    request.messages += [
        Message(role="assistant", parts=[ToolCall(id="toolu_01A09q90qw90lq917835lq9", name="add", arguments="{}")]),
        Message(role="user", parts=[ToolResult(call_id="toolu_01A09q90qw90lq917835lq9", content=[Text(text="2")])]),
    ]

    messages = written(request, "mistral")["messages"]

    made = messages[1]["tool_calls"][0]["id"]
    assert len(made) == 9
    assert made.isalnum()
    assert messages[2]["tool_call_id"] == made
    assert written(request, "mistral") == written(request, "mistral")


def test_results_stand_before_what_else_their_user_says() -> None:
    request = asking(Text(text="Look:"), ToolResult(call_id="c", content=[Text(text="2")]))

    assert [message["role"] for message in written(request)["messages"]] == ["tool", "user"]


@pytest.mark.parametrize(
    ("vendor", "thinking", "fields"),
    [
        ("openai", Thinking(effort="minimal"), {"reasoning_effort": "minimal"}),
        ("openai", Thinking(budget=1024), {"reasoning_effort": "low"}),
        ("openai", Thinking(budget=8000, enabled=True), {"reasoning_effort": "medium"}),
        ("openai", Thinking(budget=32000), {"reasoning_effort": "high"}),
        ("openai", Thinking(enabled=True, adaptive=True), {"reasoning_effort": "medium"}),
        ("openai", Thinking(enabled=False), {"reasoning_effort": "minimal"}),
        ("groq", Thinking(enabled=False), {}),
        ("groq", Thinking(effort="none"), {"reasoning_effort": "none"}),
        ("openai", Thinking(budget=-1), {}),
        ("groq", Thinking(effort="xhigh", show="full"), {"reasoning_effort": "high", "reasoning_format": "parsed"}),
        ("openrouter", Thinking(budget=2000, show="none"), {"reasoning": {"max_tokens": 2000, "exclude": True}}),
        ("openrouter", Thinking(effort="low", enabled=True), {"reasoning": {"effort": "low", "enabled": True}}),
        ("deepseek", Thinking(enabled=True), {"thinking": {"type": "enabled"}, "reasoning_effort": "medium"}),
        ("deepseek", Thinking(budget=0), {"thinking": {"type": "disabled"}}),
        ("zai", Thinking(enabled=True), {"thinking": {"type": "enabled"}}),
    ],
)
def test_reasoning_is_asked_for_in_the_vendors_own_words(vendor: str, thinking: Thinking, fields: dict[str, Any]) -> None:
    body = written(asking(thinking=thinking), vendor)

    assert {name: body[name] for name in ("reasoning_effort", "reasoning", "thinking", "reasoning_format") if name in body} == fields


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-5.1", "none"),
        ("gpt-5", "minimal"),
        ("gpt-5-mini", "minimal"),
        ("o3-mini", "low"),
        ("gpt-4o", None),
        ("gpt-5-chat-latest", None),
    ],
)
def test_a_model_that_must_think_is_asked_for_the_least(model: str, effort: str | None) -> None:
    assert written(asking(thinking=Thinking(enabled=False)), "openai", model).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning_effort": "high"}, Thinking(effort="high")),
        ({"reasoning": {"effort": "low", "exclude": True}}, Thinking(effort="low", show="none")),
        ({"reasoning": {"max_tokens": 2000, "enabled": True}}, Thinking(budget=2000, enabled=True)),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"reasoning_effort": "low", "reasoning_format": "hidden"}, Thinking(effort="low", show="none")),
        ({"include_reasoning": True}, Thinking(show="full")),
        (
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 800, "include_thoughts": True}}}},
            Thinking(budget=800, show="full"),
        ),
    ],
)
def test_every_vendors_words_for_reasoning_are_understood(fields: dict[str, Any], thinking: Thinking) -> None:
    request = parsed(**fields)

    assert request.thinking == thinking
    assert (request.extra, request.hints) == ({}, {})


def test_what_nobody_knows_is_kept_by_its_path_and_a_null_says_nothing() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "Hi", "mood": 1}], "mood": 2}

    request = parsed(message, mood=3, tools=[{"type": "function", "function": {"name": "f", "mood": 4}}], user=None, stop=None, odd=None)

    assert set(request.extra) == {"messages[0].content[0].mood", "messages[0].mood", "tools[0].function.mood", "mood"}
    body = written(request)
    assert body["messages"] == [message]
    assert body["mood"] == 3
    assert body["tools"][0]["function"]["mood"] == 4


def test_what_changes_nothing_of_what_is_asked_is_a_hint() -> None:
    request = parsed(metadata={"a": "b"}, store=True, stream=True, stream_options={"include_usage": True, "include_obfuscation": False})

    assert request.stream_usage
    assert set(request.hints) == {"metadata", "store", "stream_options.include_obfuscation"}
    assert written(request)["stream_options"] == {"include_usage": True, "include_obfuscation": False}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("any")),
        ("any", ToolChoice("any")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("tool", ["f"])),
        ({"type": "custom", "custom": {"name": "f"}}, ToolChoice("tool", ["f"])),
    ],
)
def test_a_choice_among_tools_is_understood(choice: Any, expected: ToolChoice) -> None:
    assert parsed(tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize("mode", ["required", "auto"])
def test_a_choice_among_some_of_the_tools_comes_out_as_it_went_in(mode: str) -> None:
    references = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": references}}

    request = parsed(tool_choice=choice)

    assert request.tool_choice == (ToolChoice("any", ["f", "g"]) if mode == "required" else None)
    assert written(request)["tool_choice"] == choice


def test_a_custom_tools_grammar_is_flat_inside_and_nested_on_the_wire() -> None:
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    tool = {"type": "custom", "custom": {"name": "sql", "description": "SQL", "format": form}}

    request = parsed(tools=[tool])

    assert isinstance(request.tools[0], Tool)
    assert request.tools[0].grammar == {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    assert written(request)["tools"] == [tool]


def test_searching_the_web_is_a_tool_of_the_vendor() -> None:
    request = parsed(web_search_options={"search_context_size": "low"}, tools=[{"type": "openrouter:web_search"}])

    assert [(tool.vendor, tool.kind) for tool in request.tools if isinstance(tool, VendorTool)] == [
        ("openai-chat", "openrouter:web_search"),
        ("openai-chat", "web_search_options"),
    ]
    body = written(request)
    assert (body["web_search_options"], body["tools"]) == ({"search_context_size": "low"}, [{"type": "openrouter:web_search"}])


def test_the_shape_of_an_answer_has_a_name_even_where_its_caller_gave_none() -> None:
    body = written(asking(format=Format("schema", schema={"type": "object"}, strict=True)))

    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
    }


def test_cache_marks_reach_who_takes_them() -> None:
    request = asking(Text(text="Long", cache=Cache("1h")), tools=[Tool(name="f", cache=Cache())], cache=Cache())

    body = written(request, "openrouter")

    assert body["messages"][0]["content"] == [{"type": "text", "text": "Long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert body["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert body["cache_control"] == {"type": "ephemeral"}


THOUGHT = Reasoning(text="Hm.", signature=Signature("openai-chat", '{"format":"anthropic-claude-v1","signature":"abc"}'), at="m[0]")
FOREIGN = Reasoning(text="Ah.", signature=Signature("anthropic", "xyz"), at="m[1]")


@pytest.mark.parametrize(
    ("vendor", "field", "value", "hints"),
    [
        ("deepseek", "reasoning_content", "Hm.\n\nAh.", []),
        ("groq", "reasoning", "Hm.\n\nAh.", []),
        (
            "openrouter",
            "reasoning_details",
            [{"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1", "text": "Hm.", "signature": "abc"}],
            ["m[1]"],
        ),
        ("openai", "reasoning_content", None, ["m[0]", "m[1]"]),
    ],
)
def test_earlier_reasoning_goes_where_its_vendor_takes_it_back(vendor: str, field: str, value: Any, hints: list[str]) -> None:
    losses = Losses(vendor)

    body = DIALECT.render_request(asking(THOUGHT, FOREIGN, Text(text="4"), role="assistant"), target(vendor), losses)

    assert body["messages"][0].get(field) == value
    assert losses.hints == hints
    assert losses.fields == []


def test_geminis_signature_goes_back_to_google_alone() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    signed = call | {"extra_content": {"google": {"thought_signature": "sig"}}}
    request = parsed(HELLO, {"role": "assistant", "content": None, "tool_calls": [signed]})

    assert request.messages[1].parts[0].signature == Signature("gemini", "sig")
    assert written(request, "google", "gemini-3-pro")["messages"][1]["tool_calls"] == [signed]
    assert written(request, "openai")["messages"][1]["tool_calls"] == [call]


def test_deepseek_gets_an_empty_reasoning_with_calls_that_have_none() -> None:
    body = written(asking(ToolCall(id="c", name="f", arguments="{}"), role="assistant"), "deepseek")

    assert body["messages"][0]["reasoning_content"] == ""


def test_how_tools_are_called_is_not_said_to_who_gets_none() -> None:
    request = asking(tool_choice=ToolChoice("auto"), parallel_tools=False)

    assert {"tool_choice", "parallel_tool_calls"}.isdisjoint(written(request))
    request.tools = [Tool(name="f")]
    assert written(request)["parallel_tool_calls"] is False
