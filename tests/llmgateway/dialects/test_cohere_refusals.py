"""What Cohere can't express is named as its caller wrote it; what is a matter of degree is told and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Cache,
    Citation,
    File,
    Image,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import (
    ASSISTANT,
    DEVELOPER,
    USER,
    Format,
    Message,
    Request,
    Thinking,
    Tool,
    ToolChoice,
    VendorTool,
)
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.providers import VENDORS

FACTS = next(facts for facts in VENDORS if facts.slug == "cohere")
HELLO = Message(role=USER, parts=[Text(text="hello")], at="messages[0]")
NOW = Tool(name="now", at="tools[0]")
THEN = Tool(name="then", at="tools[1]")


def write(request: Request) -> tuple[Any, Losses]:
    target = Target("cohere", "command-a-03-2025", FACTS)
    losses = Losses(target.label)
    return DIALECT.render_request(request, target, losses), losses


def asked(**slots: Any) -> Request:
    return Request(**{"messages": [HELLO], **slots})


def said(*parts: AnyPart, role: str = USER) -> Request:
    for place, part in enumerate(parts):
        part.at = part.at or f"messages[1].content[{place}]"
    return Request(messages=[HELLO, Message(role=role, parts=list(parts), at="messages[1]")])


@pytest.mark.parametrize(
    ("slots", "field"),
    [
        ({"min_p": 0.1}, "min_p"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"answers": 2}, "n"),
        ({"temperature": 1.5}, "temperature"),
        ({"presence_penalty": -1.0}, "presence_penalty"),
        ({"frequency_penalty": 1.5}, "frequency_penalty"),
        ({"top_k": 501}, "top_k"),
        ({"seed": -1}, "seed"),
        ({"stop": list("abcdef")}, "stop"),
        ({"extra": {"raw_prompting": True}}, "raw_prompting"),
        ({"tools": [Tool(name="patch", custom=True, at="tools[0]")]}, "tools[0]"),
        ({"tools": [VendorTool(vendor="anthropic", kind="web_search", raw={}, at="tools[0]")]}, "tools[0]"),
        ({"tools": [NOW, THEN], "tool_choice": ToolChoice("tool", ["now"])}, "tool_choice"),
        ({"tools": [NOW, THEN], "tool_choice": ToolChoice("any", ["now"])}, "tool_choice"),
    ],
)
def test_a_slot_without_a_place_is_refused_by_its_callers_name(slots: dict[str, Any], field: str) -> None:
    _, losses = write(asked(named={"answers": "n"}, **slots))
    assert losses.fields == [field]
    with pytest.raises(BadRequest, match="cohere at Cohere") as refused:
        losses.check(allowed=False)
    assert (refused.value.param, refused.value.code) == (field, "not_expressible")
    losses.check(allowed=True)


@pytest.mark.parametrize(
    ("part", "role", "why"),
    [
        (Image(file_id="file_1"), USER, "texts and images"),
        (File(data="AA==", media_type="application/pdf"), USER, "texts and images"),
        (Audio(data="AA==", media_type="audio/wav"), USER, "texts and images"),
        (Special(vendor="gemini", kind="executableCode", raw={}), ASSISTANT, "said texts"),
        (Image(data="AA==", media_type="image/png"), ASSISTANT, "said texts"),
        (ToolCall(id="1", name="patch", arguments="x", custom=True), ASSISTANT, "free text"),
        (
            ToolResult(call_id="1", content=[File(data="AA==", media_type="application/pdf", at="messages[1].content[0]")]),
            USER,
            "texts and images",
        ),
    ],
)
def test_a_part_without_a_place_is_refused_by_where_it_stood(part: AnyPart, role: str, why: str) -> None:
    _, losses = write(said(part, role=role))
    assert losses.fields == ["messages[1].content[0]"]
    with pytest.raises(BadRequest, match=why):
        losses.check(allowed=False)


@pytest.mark.parametrize(
    ("slots", "hints"),
    [
        ({"user": "u1", "service_tier": "flex", "cache": Cache()}, ["user", "service_tier", "cache"]),
        ({"hints": {"metadata": {"a": 1}}}, ["metadata"]),
        ({"thinking": Thinking(effort="high")}, ["reasoning_effort"]),
        ({"format": Format("schema", {"type": "object"}, name="a", description="d", strict=True)}, ["format.description"]),
        (
            {"messages": [Message(role=USER, parts=[Text(text="a", cache=Cache(), at="m[0]")], name="ann", at="messages[0]")]},
            ["messages[0].name", "m[0].cache_control"],
        ),
        (
            {"system": [Text(text="a", cache=Cache(), at="system[0]")], "tools": [Tool(name="a", cache=Cache(), at="tools[0]")]},
            ["system[0].cache_control", "tools[0].cache_control"],
        ),
        ({"top_p": 1.0}, ["top_p"]),
    ],
)
def test_what_changes_no_answer_is_told_as_a_hint(slots: dict[str, Any], hints: list[str]) -> None:
    _, losses = write(asked(named={"thinking": "reasoning_effort"}, **slots))
    assert (losses.fields, losses.hints) == ([], hints)


@pytest.mark.parametrize(
    ("slots", "written"),
    [
        ({"top_p": 1.0}, {"p": 0.99}),
        ({"thinking": Thinking(enabled=False)}, {"thinking": {"type": "disabled"}}),
        ({"thinking": Thinking(effort="none")}, {"thinking": {"type": "disabled"}}),
        ({"thinking": Thinking(enabled=True, budget=9)}, {"thinking": {"type": "enabled", "token_budget": 9}}),
        ({"thinking": Thinking(enabled=True, adaptive=True)}, {"thinking": {"type": "enabled"}}),
        ({"format": Format("json")}, {"response_format": {"type": "json_object"}}),
        ({"tool_choice": ToolChoice("auto")}, {}),
        ({"tool_choice": ToolChoice("none")}, {"tool_choice": "NONE"}),
        ({"documents": None, "extra": {"documents": ["a"]}, "hints": {"priority": 5}}, {"documents": ["a"], "priority": 5}),
    ],
)
def test_a_slot_is_written_in_cohere_s_words(slots: dict[str, Any], written: dict[str, Any]) -> None:
    slots.pop("documents", None)
    body, losses = write(asked(**slots))
    rest = {name: value for name, value in body.items() if name not in ("model", "messages", "stream")}
    assert rest == written
    assert losses.fields == []


def test_one_tool_that_must_be_called_is_forced_as_all_are() -> None:
    body, losses = write(asked(tools=[NOW], tool_choice=ToolChoice("tool", ["now"])))
    assert body["tool_choice"] == "REQUIRED"
    assert body["tools"] == [{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]
    assert losses.fields == []


@pytest.mark.parametrize(
    ("strict", "written"),
    [
        ((True, None), True),
        ((True, False), True),
        ((True, True), True),
        ((False, False), False),
        ((None, False), None),
        ((None, None), None),
    ],
)
def test_where_one_tool_is_strict_all_are(strict: tuple[bool | None, ...], written: bool | None) -> None:
    body, losses = write(asked(tools=[Tool(name=f"t{n}", strict=one) for n, one in enumerate(strict)]))
    assert body.get("strict_tools") is written
    assert losses.fields == []


def test_results_follow_their_calls_and_roles_are_cohere_s() -> None:
    request = Request(
        messages=[
            HELLO,
            Message(role=DEVELOPER, parts=[Text(text="be brief")]),
            Message(role=ASSISTANT, parts=[Text(text=""), ToolCall(id="1", name="now"), Refused(text="no")]),
            Message(
                role=USER,
                parts=[
                    Text(text="go on"),
                    ToolResult(call_id="1", content=[Text(text='{"a":1}')], is_error=True, at="messages[3].content[1]"),
                ],
            ),
        ]
    )
    body, losses = write(request)
    assert body["messages"][1:] == [
        {"role": "system", "content": "be brief"},
        {
            "role": "assistant",
            "content": "no",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "now", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": '{"a":1}'},
        {"role": "user", "content": "go on"},
    ]
    assert losses.hints == ["messages[3].content[1].is_error"]


def test_reasoning_goes_back_to_its_place_and_that_of_others_is_left_out() -> None:
    plan, thought = Signature("cohere", "plan"), Signature("cohere", "thinking")
    calling = said(
        Reasoning(text="p", signature=plan),
        Reasoning(text="t", signature=thought),
        Reasoning(text="u"),
        Reasoning(text="x", signature=Signature("anthropic", "s")),
        Reasoning(redacted=True, signature=Signature("bedrock", "r")),
        ToolCall(id="1", name="now", arguments="{}"),
        role=ASSISTANT,
    )
    body, losses = write(calling)
    assert body["messages"][1]["tool_plan"] == "pu"
    assert body["messages"][1]["content"] == [{"type": "thinking", "thinking": "t"}]
    assert losses.hints == ["messages[1].content[3]", "messages[1].content[4]"]
    body, _ = write(said(Reasoning(text="u"), Text(text="a"), role=ASSISTANT))
    assert body["messages"][1]["content"] == [{"type": "thinking", "thinking": "u"}, {"type": "text", "text": "a"}]


def test_citations_of_another_vendor_are_left_out_and_told() -> None:
    body, losses = write(said(Text(text="a", citations=[Citation("url", url="https://example.com", vendor="anthropic")]), role=ASSISTANT))
    assert body["messages"][1] == {"role": "assistant", "content": "a"}
    assert losses.hints == ["messages[1].content[0].citations"]
