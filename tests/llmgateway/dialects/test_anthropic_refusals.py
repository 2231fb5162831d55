"""What a conversation of another dialect asks, said to Anthropic: as it takes it, or refused by name."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Cache,
    Citation,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import AudioOut, Format, Message, Request, Thinking, Tool, ToolChoice, VendorTool
from tests.llmgateway.dialects.anthropic_kit import NEW, OLD, rendered

NAMED = {"max_output": "max_completion_tokens", "thinking": "reasoning_effort", "answers": "n", "format": "response_format"}
TOOL = Tool(name="f", schema={"type": "object"}, at="tools[0]")


def user(*parts: AnyPart, at: str = "messages[0]") -> Message:
    return Message(role="user", parts=list(parts) or [Text(text="Hi")], at=at)


def said(*parts: AnyPart, at: str = "messages[1]") -> Message:
    return Message(role="assistant", parts=list(parts), at=at)


def asking(*messages: Message, **slots: Any) -> Request:
    return Request(messages=list(messages) or [user()], named=NAMED, **slots)


@pytest.mark.parametrize(
    ("slots", "field"),
    [
        ({"seed": 1}, "seed"),
        ({"min_p": 0.1}, "min_p"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": -1}, "frequency_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"answers": 2}, "n"),
        ({"audio": AudioOut("alloy")}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": 0.5, "top_p": 0.5}, "top_p"),
        ({"temperature": 0.5, "thinking": Thinking(effort="low")}, "temperature"),
        ({"format": Format("json")}, "response_format"),
        ({"extra": {"web_search_options": {}}}, "web_search_options"),
        ({"tools": [VendorTool(vendor="gemini", kind="google_search", raw={}, at="tools[0]")]}, "tools[0]"),
        ({"tools": [Tool(name="patch", custom=True, at="tools[1]")]}, "tools[1]"),
        ({"tools": [TOOL, Tool(name="g"), Tool(name="h")], "tool_choice": ToolChoice("any", ["f", "g"])}, "tool_choice"),
        ({"tools": [Tool(name="a.b", at="tools[0]")]}, "tools[0].name"),
        ({"stop": ["END", "\n"]}, "stop"),
    ],
)
def test_what_can_not_be_said_is_refused_by_the_callers_name_for_it(slots: dict[str, Any], field: str) -> None:
    _, losses = rendered(asking(**slots))

    assert losses.fields == [field]
    with pytest.raises(BadRequest) as refused:
        losses.check(allowed=False)
    assert refused.value.param == field
    assert "anthropic at Anthropic" in refused.value.message


@pytest.mark.parametrize(
    "slots",
    [
        {"presence_penalty": 0.0, "frequency_penalty": 0, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "answers": 1},
        {"modalities": ["text"], "verbosity": "medium", "format": Format("text"), "parallel_tools": True},
        {"temperature": 0.5, "top_p": 1.0},
        {"tool_choice": ToolChoice("auto")},
    ],
)
def test_a_default_says_nothing_and_is_no_loss(slots: dict[str, Any]) -> None:
    body, losses = rendered(asking(**slots))

    assert (losses.fields, losses.hints) == ([], [])
    assert set(body) - {"temperature"} == {"model", "max_tokens", "messages"}


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Audio(data="AA==", media_type="audio/wav"), "no audio"),
        (Image(data="AA==", media_type="image/bmp"), "JPEG"),
        (Image(file_id="file-1"), "belongs to the vendor"),
        (File(file_id="file-1"), "belongs to the vendor"),
        (File(data="AA==", media_type="video/mp4"), "PDF"),
        (File(data="/w==", media_type="text/plain"), "PDF"),
        (Special(vendor="openai-responses", kind="web_search_call", raw={}), "own"),
    ],
)
def test_a_part_that_anthropic_has_not_is_refused_where_it_stands(part: AnyPart, reason: str) -> None:
    part.at = "messages[0].content[1]"

    body, losses = rendered(asking(user(Text(text="See"), part)))

    assert losses.fields == ["messages[0].content[1]"]
    with pytest.raises(BadRequest, match=reason):
        losses.check(allowed=False)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "See"}]}]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Image(url="https://e.com/a.png"), {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}}),
        (
            Image(data="/9j/4AAQ", cache=Cache("1h")),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            },
        ),
        (
            File(data=base64.b64encode("größe\n1".encode()).decode(), media_type="text/csv", title="a.csv"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "größe\n1"}, "title": "a.csv"},
        ),
        (
            File(data="R0lGODlh", media_type="image/gif"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}},
        ),
    ],
)
def test_images_and_files_are_said_in_anthropics_way(part: AnyPart, block: Json) -> None:
    body, losses = rendered(asking(user(part)))

    assert body["messages"][0]["content"] == [block]
    assert losses.fields == []


def test_a_vendor_that_lacks_something_is_not_sent_it() -> None:
    request = asking(
        user(Image(url="https://e.com/a.png", at="a"), File(url="https://e.com/a.pdf", at="b"), Text(text="Hi")),
        tools=[Tool(name="f", strict=True, at="tools[0]")],
        format=Format("schema", schema={"type": "object"}),
        top_k=5,
    )

    body, losses = rendered(request, lacks=frozenset({"image_url", "file", "strict", "json_schema", "top_k"}))

    assert losses.fields == ["top_k", "a", "b", "tools[0].strict", "response_format"]
    assert "top_k" not in body
    assert request.top_k == 5
    assert rendered(request, lacks=frozenset({"image"}))[1].fields == ["a"]
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert "output_config" not in body


def test_results_stand_first_behind_the_turn_that_called_and_turns_alternate() -> None:
    request = asking(
        user(),
        said(ToolCall(id="a", name="f", arguments='{"x": 1}'), ToolCall(id="b", name="f", arguments="")),
        user(Text(text="Wait."), ToolResult(call_id="b", content=[Text(text="2"), Text(text="")])),
        user(ToolResult(call_id="a", is_error=True)),
        user(Text(text="Go on."), Text(text="")),
    )

    body, losses = rendered(request)

    assert losses.fields == []
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "2"}]},
        {"type": "tool_result", "tool_use_id": "a", "is_error": True},
        {"type": "text", "text": "Wait."},
        {"type": "text", "text": "Go on."},
    ]


def test_an_id_that_anthropic_does_not_take_is_spelled_alike_in_the_call_and_its_result() -> None:
    one, other = "functions.f:0", "functions_f_0"
    request = asking(
        user(),
        said(ToolCall(id=one, name="f"), ToolCall(id=other, name="f")),
        user(ToolResult(call_id=one), ToolResult(call_id=other)),
    )

    body, _ = rendered(request)

    called = [block["id"] for block in body["messages"][1]["content"]]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == called
    assert called[1] == other
    assert called[0] != other
    assert called[0].startswith("functions_f_0_")


def test_a_schema_that_answers_are_held_to_is_closed() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {"type": "object", "properties": {"one": inner, "many": {"type": "array", "items": inner}, "open": {"anyOf": [inner]}}}
    shut = {**inner, "additionalProperties": False}

    body, _ = rendered(asking(format=Format("schema", schema=schema), tools=[Tool(name="f", schema=schema, strict=True, at="tools[0]")]))

    expected = {
        "type": "object",
        "properties": {"one": shut, "many": {"type": "array", "items": shut}, "open": {"anyOf": [shut]}},
        "additionalProperties": False,
    }
    assert body["output_config"]["format"]["schema"] == expected
    assert body["tools"][0]["input_schema"] == expected


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"', "nonsense"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    _, losses = rendered(asking(user(), said(ToolCall(id="a", name="f", arguments=arguments, at="messages[1].tool_calls[0]"))))

    assert losses.fields == ["messages[1].tool_calls[0]"]


def test_reasoning_that_anthropic_did_not_sign_is_left_out_and_said() -> None:
    own, other = Signature("anthropic", "sig"), Signature("gemini", "s")
    request = asking(
        user(),
        said(
            Reasoning(text="a", signature=own, at="p0"),
            Reasoning(redacted=True, signature=own, at="p1"),
            Reasoning(text="b", signature=other, at="p2"),
            Reasoning(text="c", at="p3"),
            Refused(text="No."),
            Text(text="Hi", signature=other, at="p5", citations=[Citation("url", url="https://e.com")]),
        ),
        user(),
    )

    body, losses = rendered(request)

    assert losses.fields == []
    assert losses.hints == ["p2", "p3", "p5.citations", "p5.signature"]
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sig"},
        {"type": "text", "text": "No."},
        {"type": "text", "text": "Hi"},
    ]


def test_a_turn_of_which_nothing_is_left_is_no_turn() -> None:
    body, _ = rendered(asking(user(), said(Reasoning(text="b")), user(Text(text="Still there?"))))

    assert len(body["messages"]) == 1


def test_a_conversation_that_says_nothing_or_begins_with_the_assistant_is_refused() -> None:
    _, nothing = rendered(Request(system=[Text(text="Be brief.")]))
    _, turned = rendered(asking(said(Text(text="Hello!"), at="messages[0]"), user(at="messages[1]")))

    assert nothing.fields == ["messages"]
    assert turned.fields == ["messages[0]"]


def instruction(at: str, role: str = "developer") -> Message:
    return Message(role=role, parts=[Text(text="Be brief.")], at=at)


def test_an_instruction_inside_the_conversation_is_said_where_the_model_takes_it() -> None:
    request = asking(user(), instruction("messages[1]"), instruction("messages[2]", "system"))

    body, losses = rendered(request, NEW)

    assert losses.fields == []
    assert [turn["role"] for turn in body["messages"]] == ["user", "system"]
    assert len(body["messages"][1]["content"]) == 2
    _, refused = rendered(request, OLD)
    assert refused.fields == ["messages[1]", "messages[2]"]


def test_an_instruction_before_a_users_words_is_refused_by_every_model() -> None:
    request = asking(user(), instruction("messages[1]"), user(Text(text="And?"), at="messages[2]"))

    body, losses = rendered(request, NEW)

    assert losses.fields == ["messages[1]"]
    assert [turn["role"] for turn in body["messages"]] == ["user"]


def test_a_participants_name_is_refused() -> None:
    message = user()
    message.name = "alice"

    assert rendered(asking(message))[1].fields == ["messages[0].name"]


@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("any"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("any", ["f"]), None, {"type": "tool", "name": "f"}),
        (ToolChoice("tool", ["f"]), True, {"type": "tool", "name": "f"}),
        (ToolChoice("any", ["g", "f"]), None, {"type": "any"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (None, True, None),
    ],
)
def test_the_choice_of_tools_and_whether_they_go_together(choice: ToolChoice | None, parallel: bool | None, told: Json) -> None:
    body, losses = rendered(asking(tools=[TOOL], tool_choice=choice, parallel_tools=parallel))

    assert body.get("tool_choice") == told
    assert losses.fields == []


def test_what_has_no_place_but_changes_nothing_is_said_and_not_refused() -> None:
    request = asking(
        user(Image(url="https://e.com/a.png", detail="low", at="messages[0].content[0]")),
        user="u1",
        service_tier="flex",
        cache_key="k",
        prediction={"content": "x"},
        format=Format("schema", schema={"type": "object"}, name="n", description="d", strict=True),
        hints={"store": True},
        cache=Cache(),
        stop=["END"],
        stream=True,
    )

    body, losses = rendered(request)

    assert losses.fields == []
    assert set(losses.hints) == {
        "messages[0].content[0].detail",
        "service_tier",
        "cache_key",
        "prediction",
        "response_format.description",
        "store",
    }
    assert body["metadata"] == {"user_id": "u1"}
    schema = {"type": "object", "additionalProperties": False}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert (body["cache_control"], body["stop_sequences"], body["stream"]) == ({"type": "ephemeral"}, ["END"], True)
