"""What a target can't say in its caller's words and is told in others that mean the same, with a note where it weighs less."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.proxy.conversation.parts import Cache, Image, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, USER, Message, Request, Thinking, Tool, ToolChoice
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import VENDORS
from llmgateway.proxy.translation.written import write, written_best
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.llmgateway.translation.across_kit import CHAT, COHERE, MESSAGES, RESPONSES
from tests.llmgateway.translation.test_requests_across import TARGETS
from tests.llmgateway.translation.test_stops_across import MAKERS

PNG = "iVBORw0KGgo="
CLOCK, MAP = Tool(name="clock"), Tool(name="map", schema={"type": "object", "properties": {}})


def asked(*parts: Any, **slots: Any) -> Request:
    call = Message(role=ASSISTANT, parts=[ToolCall(id="c1", name="map", arguments="{}")], at="messages[1]")
    first = Message(role=USER, parts=[Text(text="Where?", at="messages[0]")], at="messages[0]")
    return Request(model="m", messages=[first, call, Message(role=USER, parts=list(parts), at="messages[2]")], tools=[MAP], **slots)


def shown() -> ToolResult:
    pieces: list[Any] = [Text(text="Here:"), Image(data=PNG, media_type="image/png", at="messages[2].content[0].content[1]")]
    return ToolResult(call_id="c1", name="map", content=pieces, at="messages[2].content[0]")


@pytest.mark.parametrize("wire", [CHAT, COHERE])
def test_what_a_tool_shows_is_shown_by_its_user_behind_the_results(wire: str) -> None:
    written = write(asked(shown(), Text(text="So?")), TARGETS[wire])
    assert written.losses.fields == []
    assert written.losses.hints == ["messages[2].content[0]"]
    result, user = written.body["messages"][-2:]
    assert (result["role"], result["content"], user["role"]) == ("tool", "Here:", "user")
    caption, image, text = user["content"]
    assert caption["text"] == "From the result of map (c1):"
    assert image["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert text == {"type": "text", "text": "So?"}


def test_a_vendor_without_images_refuses_what_a_tool_shows() -> None:
    blind = TARGETS[CHAT].facts._replace(lacks=frozenset({"image"}))
    written = write(asked(shown()), TARGETS[CHAT]._replace(facts=blind))
    assert written.losses.fields == ["messages[2].content[0].content[1]"]


@pytest.mark.parametrize("wire", [CHAT, RESPONSES, COHERE])
def test_that_a_tool_failed_is_left_out_where_it_can_not_be_told(wire: str) -> None:
    failed = ToolResult(call_id="c1", name="map", content=[Text(text="No such place.")], is_error=True, at="messages[2].content[0]")
    written = write(asked(failed), TARGETS[wire])
    assert written.losses.fields == []
    assert written.losses.hints == ["messages[2].content[0].is_error"]


@pytest.mark.parametrize("wire", [MESSAGES, COHERE, "bedrock"])
def test_a_choice_among_some_tools_offers_only_those(wire: str) -> None:
    request = Request(
        model="m",
        messages=[Message(role=USER, parts=[Text(text="When?")], at="messages[0]")],
        tools=[CLOCK, MAP, Tool(name="radio")],
        tool_choice=ToolChoice("any", ["map", "clock"]),
    )
    written = write(request, TARGETS[wire])
    assert (written.losses.fields, written.losses.hints) == ([], [])
    back = DIALECTS[wire].parse_request(written.body, "m", False)
    assert ([tool.name for tool in back.tools if isinstance(tool, Tool)], back.tool_choice) == (["clock", "map"], ToolChoice("any"))


def test_a_choice_of_a_tool_that_is_not_offered_is_refused_still() -> None:
    request = Request(
        model="m",
        messages=[Message(role=USER, parts=[Text(text="When?")], at="messages[0]")],
        tools=[CLOCK, MAP],
        tool_choice=ToolChoice("any", ["clock", "radio"]),
    )
    assert write(request, TARGETS[COHERE]).losses.fields == ["tool_choice"]


@pytest.mark.parametrize(("model", "effort"), [("gpt-5.2", {"effort": "medium"}), ("gpt-4.1", None)])
def test_to_think_as_much_as_it_likes_is_said_to_a_model_that_thinks(model: str, effort: Any) -> None:
    request = Request(
        model="m",
        messages=[Message(role=USER, parts=[Text(text="Why?")], at="messages[0]")],
        thinking=Thinking(enabled=True, adaptive=True),
    )
    written = write(request, TARGETS[RESPONSES]._replace(model=model))
    assert (written.body.get("reasoning"), written.losses.fields) == (effort, [])


def test_of_a_vendor_s_wires_the_one_is_taken_that_says_all() -> None:
    openai = next(facts for facts in VENDORS if facts.slug == "openai")
    messages = [Message(role=USER, parts=[Text(text="Count.")], at="messages[0]")]
    plain, stopping = Request(model="m", messages=messages), Request(model="m", messages=messages, stop=["4"])
    best = [written_best(request, openai.wires, model="gpt-5.2", facts=openai) for request in (plain, stopping)]
    assert [(one.wire, one.losses.fields) for one in best] == [(RESPONSES, []), (CHAT, [])]


def test_the_caller_reads_what_was_told_in_other_words(wired_house: House, provider: Provider) -> None:
    provider.fallback = said(MAKERS[CHAT]("Aha.", "end"))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    result = {"type": "tool_result", "tool_use_id": "c1", "is_error": True, "content": [{"type": "text", "text": "Here:"}, image]}
    messages = [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "map", "input": {}}]},
        {"role": "user", "content": [result]},
    ]
    tools = [{"name": "map", "input_schema": {"type": "object", "properties": {}}}]
    body = {"model": f"wire/{CHAT}", "max_tokens": 64, "messages": messages, "tools": tools}
    answer = wired_house.http.post("/v1/messages", json=body, headers={"x-api-key": wired_house.key})
    wired_house.settled()
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-customhouse-dropped"] == "messages[2].content[0].is_error, messages[2].content[0]"
    assert [message["role"] for message in provider.last.json["messages"]] == ["user", "assistant", "tool", "user"]


@pytest.mark.parametrize(("model", "kept"), [("gpt-5.6-sol", True), ("gpt-6", True), ("gpt-5.2", False), ("gpt-4.1", False)])
@pytest.mark.parametrize("wire", [CHAT, RESPONSES])
def test_marks_of_a_cached_prompt_reach_those_of_openai_s_models_that_take_them(wire: str, model: str, kept: bool) -> None:
    marked = Text(text="A long document.", cache=Cache(), at="messages[0].content[0]")
    request = Request(model="m", messages=[Message(role=USER, parts=[marked, Text(text="So?")], at="messages[0]")])
    written = write(request, TARGETS[wire]._replace(model=model))
    assert (written.losses.fields, written.losses.hints) == ([], [] if kept else ["messages[0].content[0].cache_control"])
    (told,) = written.body["messages" if wire == CHAT else "input"]
    marks = [piece.get("prompt_cache_breakpoint") for piece in told["content"]]
    assert marks == [{"mode": "explicit"} if kept else None, None]


def test_a_mark_on_a_result_stands_behind_its_text() -> None:
    result = ToolResult(call_id="c1", name="map", content=[Text(text="Here.")], cache=Cache(), at="messages[2].content[0]")
    written = write(asked(result), TARGETS[CHAT]._replace(model="gpt-5.6"))
    assert written.losses.hints == []
    assert written.body["messages"][-1]["content"] == [{"type": "text", "text": "Here.", "prompt_cache_breakpoint": {"mode": "explicit"}}]
