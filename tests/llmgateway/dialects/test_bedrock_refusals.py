"""What Converse can't express is named as its caller wrote it; what is a matter of degree is told and goes on."""

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
    AudioOut,
    Format,
    Message,
    Request,
    Thinking,
    Tool,
    ToolChoice,
    VendorTool,
)
from llmgateway.proxy.dialects.bedrock.codec import DIALECT
from llmgateway.proxy.dialects.bedrock.media import LONGEST_NAME, document_name
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.providers import VENDORS

FACTS = next(facts for facts in VENDORS if facts.slug == "aws")
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEWER = "anthropic.claude-opus-5"
OLDER = "anthropic.claude-3-5-sonnet-20241022-v2:0"
LLAMA = "meta.llama4-maverick-17b-instruct-v1:0"
HELLO = Message(role=USER, parts=[Text(text="hello")], at="messages[0]")
NOW = Tool(name="now", at="tools[0]")
THEN = Tool(name="then", at="tools[1]")


def write(request: Request, model: str = CLAUDE) -> tuple[Any, Losses]:
    target = Target("bedrock", model, FACTS)
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
        ({"seed": 1}, "seed"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"min_p": 0.1}, "min_p"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"answers": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": AudioOut("alloy", "wav")}, "audio"),
        ({"format": Format("json")}, "response_format"),
        ({"extra": {"best_of": 2}}, "best_of"),
        ({"tools": [Tool(name="a.b", at="tools[0]")]}, "tools[0]"),
        ({"tools": [Tool(name="patch", custom=True, at="tools[0]")]}, "tools[0]"),
        ({"tools": [VendorTool(vendor="anthropic", kind="web_search", raw={}, at="tools[0]")]}, "tools[0]"),
        ({"tools": [NOW, THEN, Tool(name="c")], "tool_choice": ToolChoice("any", ["now", "then"])}, "tool_choice"),
    ],
)
def test_a_slot_without_a_place_is_refused_by_its_callers_name(slots: dict[str, Any], field: str) -> None:
    named = {"answers": "n", "format": "response_format"}
    _, losses = write(asked(named=named, **slots))
    assert losses.fields == [field]
    with pytest.raises(BadRequest, match="bedrock at Amazon Bedrock") as refused:
        losses.check(allowed=False)
    assert (refused.value.param, refused.value.code) == (field, "not_expressible")
    losses.check(allowed=True)


@pytest.mark.parametrize(
    "slots",
    [
        {"presence_penalty": 0, "frequency_penalty": 0.0, "answers": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"]},
        {"parallel_tools": True, "tools": [NOW]},
        {"parallel_tools": False},
        {"verbosity": "medium", "format": Format("text"), "stream": True, "stream_usage": True, "logit_bias": {}},
    ],
)
def test_what_asks_for_nothing_is_no_loss(slots: dict[str, Any]) -> None:
    _, losses = write(asked(**slots))
    assert (losses.fields, losses.hints) == ([], [])


def test_that_calls_are_made_one_by_one_is_only_hinted_at() -> None:
    _, losses = write(asked(tools=[NOW], parallel_tools=False))
    assert (losses.fields, losses.hints) == ([], ["parallel_tools"])


@pytest.mark.parametrize(
    ("part", "role", "why"),
    [
        (Image(url="https://example.com/a.png"), USER, "fetches no images"),
        (Image(file_id="file_1"), USER, "fetches no images"),
        (Image(data="AA==", media_type="image/tiff"), USER, "types png"),
        (Image(data="AA==", media_type="image/png"), ASSISTANT, "from the user alone"),
        (File(url="https://example.com/a.pdf"), USER, "fetches no files"),
        (File(data="AA==", media_type="application/zip"), USER, "application/zip"),
        (Audio(audio_id="audio_1"), USER, "as bytes"),
        (Audio(data="AA==", media_type="audio/x-strange"), USER, "as bytes"),
        (Special(vendor="anthropic", kind="server_tool_use", raw={}), ASSISTANT, "anthropic's own"),
        (ToolCall(id="1", name="now", arguments="not json"), ASSISTANT, "no JSON object"),
        (ToolCall(id="1", name="now", arguments="[1]"), ASSISTANT, "no JSON object"),
        (ToolCall(id="1", name="now", arguments="x", custom=True), ASSISTANT, "free text"),
        (ToolCall(id="1", name="a.b", arguments="{}"), ASSISTANT, "64 letters"),
        (ToolResult(call_id="1", content=[Image(url="https://example.com/a", at="messages[1].content[0]")]), USER, "fetches no images"),
    ],
)
def test_a_part_without_a_place_is_refused_by_where_it_stood(part: AnyPart, role: str, why: str) -> None:
    request = said(part, role=role)
    request.tools = [NOW]
    _, losses = write(request)
    assert losses.fields == ["messages[1].content[0]"]
    with pytest.raises(BadRequest, match=why):
        losses.check(allowed=False)


@pytest.mark.parametrize(
    ("slots", "hints"),
    [
        ({"user": "u1"}, ["user"]),
        ({"cache_key": "k"}, ["prompt_cache_key"]),
        ({"service_tier": "auto"}, ["service_tier"]),
        ({"hints": {"metadata.a": "b", "store": True}}, ["metadata.a", "store"]),
        ({"messages": [Message(role=USER, parts=[Text(text="a")], name="ann", at="messages[0]")]}, ["messages[0].name"]),
    ],
)
def test_what_changes_no_answer_is_told_as_a_hint(slots: dict[str, Any], hints: list[str]) -> None:
    _, losses = write(asked(named={"cache_key": "prompt_cache_key"}, **slots))
    assert (losses.fields, losses.hints) == ([], hints)


def test_reasoning_that_is_not_bedrocks_own_is_left_out_and_told() -> None:
    body, losses = write(
        said(
            Reasoning(text="a", signature=Signature("bedrock", "own")),
            Reasoning(text="b", signature=Signature("anthropic", "foreign")),
            Reasoning(text="c"),
            Text(text="d", signature=Signature("gemini", "s"), citations=[Citation("url", url="https://example.com")]),
            role=ASSISTANT,
        )
    )
    assert body["messages"][1]["content"] == [{"reasoningContent": {"reasoningText": {"text": "a", "signature": "own"}}}, {"text": "d"}]
    assert losses.hints == ["messages[1].content[1]", "messages[1].content[2]", "messages[1].content[3].citations"]


# roles and tools


def test_roles_alternate_results_come_first_and_empty_texts_say_nothing() -> None:
    request = Request(
        messages=[
            Message(role=USER, parts=[Text(text="a")]),
            Message(role=USER, parts=[Text(text="b"), Text(text=" \n")]),
            Message(role=ASSISTANT, parts=[Text(text="")]),
            Message(role=USER, parts=[Text(text="c")]),
            Message(role=ASSISTANT, parts=[ToolCall(id="1", name="now")]),
            Message(role=USER, parts=[Text(text="d"), ToolResult(call_id="1", content=[Text(text="")], is_error=True)]),
            Message(role=ASSISTANT, parts=[Refused(text="no")]),
        ],
        tools=[NOW],
    )
    body, losses = write(request)
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "now", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [], "status": "error"}}, {"text": "d"}]},
        {"role": "assistant", "content": [{"text": "no"}]},
    ]
    assert losses.fields == []


def test_a_conversation_that_the_model_begins_and_instructions_inside_one_are_refused() -> None:
    _, losses = write(Request(messages=[Message(role=ASSISTANT, parts=[Text(text="a")], at="messages[0]"), HELLO]))
    assert losses.fields == ["messages[0]"]
    inside = Request(messages=[HELLO, Message(role=DEVELOPER, parts=[Text(text="be brief")], at="messages[1]")])
    assert write(inside)[1].fields == ["messages[1]"]
    body, losses = write(inside, NEWER)
    assert losses.fields == []
    assert body["messages"][1] == {"role": "system", "content": [{"text": "be brief"}]}


def test_an_id_that_bedrock_does_not_take_is_the_same_for_the_call_and_its_result() -> None:
    strange = "call|" + "x" * 90
    body, losses = write(
        Request(
            messages=[
                HELLO,
                Message(role=ASSISTANT, parts=[ToolCall(id=strange, name="now"), ToolCall(id="call_1", name="now")]),
                Message(role=USER, parts=[ToolResult(call_id=strange), ToolResult(call_id="call_1")]),
            ],
            tools=[NOW],
        )
    )
    called = [block["toolUse"]["toolUseId"] for block in body["messages"][1]["content"]]
    answered = [block["toolResult"]["toolUseId"] for block in body["messages"][2]["content"]]
    assert called == answered
    assert called[1] == "call_1"
    assert len(called[0]) <= 64
    assert losses.fields == []


def test_tools_that_must_not_be_called_are_left_out_unless_some_were() -> None:
    body, losses = write(asked(tools=[NOW], tool_choice=ToolChoice("none")))
    assert "toolConfig" not in body
    assert losses.fields == []
    called = said(ToolCall(id="1", name="now", arguments="{}"), role=ASSISTANT)
    called.tools, called.tool_choice = [NOW], ToolChoice("none")
    body, losses = write(called)
    assert losses.fields == ["tool_choice"]
    assert body["toolConfig"] == {"tools": [{"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]}


def test_a_conversation_with_calls_that_offers_no_tools_is_refused_and_goes_on_with_theirs_where_that_is_allowed() -> None:
    body, losses = write(said(ToolCall(id="1", name="now", arguments="{}"), role=ASSISTANT))
    assert (losses.fields, losses.hints) == ([], ["tools"])
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["now"]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("any"), {"any": {}}),
        (ToolChoice("any", ["now", "then"]), {"any": {}}),
        (ToolChoice("any", ["now"]), {"tool": {"name": "now"}}),
        (ToolChoice("tool", ["then"]), {"tool": {"name": "then"}}),
    ],
)
def test_a_choice_of_tools_is_written(choice: ToolChoice, written: Any) -> None:
    body, losses = write(asked(tools=[NOW, THEN], tool_choice=choice))
    assert body["toolConfig"]["toolChoice"] == written
    assert losses.fields == []


# caches


def test_cache_marks_become_cache_points_behind_what_they_mark() -> None:
    request = Request(
        system=[Text(text="s", cache=Cache())],
        messages=[Message(role=USER, parts=[Text(text="a", cache=Cache("1h")), Text(text="b")])],
        tools=[Tool(name="now", cache=Cache())],
        cache=Cache(),
    )
    body, losses = write(request)
    point, hour = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["system"] == [{"text": "s"}, point]
    assert body["messages"][0]["content"] == [{"text": "a"}, hour, {"text": "b"}, point]
    assert body["toolConfig"]["tools"][1] == point
    assert losses.hints == []


def test_cache_marks_for_a_model_without_a_cache_are_hints() -> None:
    marked = Text(text="a", cache=Cache(), at="messages[0].content[0]")
    inner = Text(text="r", cache=Cache(), at="messages[0].content[1].content[0]")
    request = Request(messages=[Message(role=USER, parts=[marked, ToolResult(call_id="1", content=[inner])])])
    body, losses = write(request, LLAMA)
    assert "cachePoint" not in str(body)
    assert losses.hints == ["messages[0].content[0].cache_control", "messages[0].content[1].content[0].cache_control"]
    assert write(request, "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x")[1].hints == [losses.hints[1]]


# reasoning


@pytest.mark.parametrize(
    ("thinking", "model", "fields", "effort", "hinted"),
    [
        (Thinking(enabled=True, budget=2048), CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, False),
        (Thinking(enabled=True, budget=2048), NEWER, {"thinking": {"type": "adaptive"}}, None, True),
        (Thinking(enabled=False), CLAUDE, {"thinking": {"type": "disabled"}}, None, False),
        (Thinking(effort="none"), CLAUDE, {"thinking": {"type": "disabled"}}, None, False),
        (Thinking(effort="high"), NEWER, {"thinking": {"type": "adaptive"}}, "high", False),
        (Thinking(effort="low", show="none"), NEWER, {"thinking": {"type": "adaptive", "display": "omitted"}}, "low", False),
        (Thinking(effort="high"), LLAMA, None, "high", False),
        (Thinking(enabled=False), LLAMA, None, None, True),
    ],
)
def test_reasoning_is_asked_for_as_the_model_takes_it(
    thinking: Thinking, model: str, fields: Any, effort: str | None, hinted: bool
) -> None:
    body, losses = write(asked(thinking=thinking, named={"thinking": "reasoning_effort"}), model)
    assert body.get("additionalModelRequestFields") == fields
    assert body.get("outputConfig", {}).get("effort") == effort
    assert (losses.fields, losses.hints) == ([], ["reasoning_effort"] if hinted else [])


def test_a_budget_or_top_k_for_a_model_of_another_maker_is_refused() -> None:
    body, losses = write(asked(thinking=Thinking(enabled=True, budget=2048), top_k=5), LLAMA)
    assert losses.fields == ["thinking", "top_k"]
    assert "additionalModelRequestFields" not in body
    assert write(asked(top_k=5))[0]["additionalModelRequestFields"] == {"top_k": 5}


@pytest.mark.parametrize(
    ("slots", "model", "fields", "written"),
    [
        ({"temperature": 0.2, "top_p": 1, "top_k": 4}, NEWER, ["temperature", "top_k"], {}),
        ({"temperature": 1, "top_p": 1}, NEWER, [], {}),
        ({"temperature": 0.2, "top_p": 0.5}, CLAUDE, ["top_p"], {"temperature": 0.2}),
        ({"temperature": 0.2, "top_p": 1}, CLAUDE, [], {"temperature": 0.2}),
        ({"temperature": 1, "top_p": 0.5}, CLAUDE, [], {"topP": 0.5}),
        ({"temperature": 0.2, "top_p": 0.5}, OLDER, [], {"temperature": 0.2, "topP": 0.5}),
        ({"temperature": 0.2, "top_p": 0.5}, LLAMA, [], {"temperature": 0.2, "topP": 0.5}),
        ({"temperature": 0.2, "top_p": 0.97, "thinking": Thinking(budget=1024)}, CLAUDE, ["temperature"], {"topP": 0.97}),
        ({"top_p": 0.5, "top_k": 4, "thinking": Thinking(budget=1024)}, CLAUDE, ["top_p", "top_k"], {}),
        ({"temperature": 0.2, "thinking": Thinking(enabled=False)}, CLAUDE, [], {"temperature": 0.2}),
    ],
)
def test_samplers_are_those_that_the_generation_takes(
    slots: dict[str, Any], model: str, fields: list[str], written: dict[str, Any]
) -> None:
    body, losses = write(asked(**slots), model)
    assert losses.fields == fields
    assert body.get("inferenceConfig", {}) == written


def test_bedrocks_own_members_are_written_whoever_sends_them() -> None:
    own = {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}, "additionalModelRequestFields.foo": 1}
    body, losses = write(asked(extra=own, hints={"requestMetadata": {"team": "blue"}}))
    assert body["guardrailConfig"] == own["guardrailConfig"]
    assert body["additionalModelRequestFields"] == {"foo": 1}
    assert body["requestMetadata"] == {"team": "blue"}
    assert (losses.fields, losses.hints) == ([], [])


# documents


@pytest.mark.parametrize(
    ("title", "taken", "name"),
    [
        ("report.pdf", (), "report pdf"),
        ("Übersicht_2026 (final) [v2].docx", (), "bersicht 2026 (final) [v2] docx"),
        ("", (), "document"),
        ("///", (), "document"),
        ("a", ("a", "a (2)"), "a (3)"),
        ("x" * 300, (), "x" * LONGEST_NAME),
    ],
)
def test_a_documents_name_is_made_of_what_bedrock_takes(title: str, taken: tuple[str, ...], name: str) -> None:
    assert document_name(title, taken) == name


def test_two_documents_of_one_name_are_told_apart() -> None:
    file = File(data="AA==", media_type="application/pdf", title="a")
    body, losses = write(said(file, File(data="AB==", media_type="application/pdf", title="a"), File(text="plain")))
    names = [block["document"]["name"] for block in body["messages"][0]["content"] if "document" in block]
    assert names == ["a", "a (2)", "document"]
    assert losses.fields == []
