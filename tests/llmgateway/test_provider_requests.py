"""What vendors are really sent: nothing that their row says they lack, and their own names for what they have."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Audio, File, Image, Text
from llmgateway.proxy.conversation.request import AudioOut, Format, Message, Request, Thinking, Tool, ToolChoice
from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT as ANTHROPIC
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.facts import REPLAYS, Facts
from llmgateway.proxy.providers import CHAT, LOCAL_VENDORS, MESSAGES, RESPONSES, VENDORS
from llmgateway.proxy.translation.written import Written, written_best

ROWS = (*VENDORS, *LOCAL_VENDORS)
BY_SLUG = {facts.slug: facts for facts in ROWS}
each_row = pytest.mark.parametrize("facts", ROWS, ids=lambda facts: facts.slug)

AT = "messages[0].content[0]"
TOOL = Tool(name="f", schema={"type": "object"}, at="tools[0]")
ASKING: dict[str, dict[str, Any]] = {
    "tools": {"tools": [TOOL]},
    "tool_choice": {"tool_choice": ToolChoice("any")},
    "parallel_tools": {"parallel_tools": False},
    "max_output": {"max_output": 9},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.5},
    "top_k": {"top_k": 5},
    "min_p": {"min_p": 0.1},
    "stop": {"stop": ["."]},
    "seed": {"seed": 3},
    "presence_penalty": {"presence_penalty": 0.5},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "logprobs": {"logprobs": True},
    "top_logprobs": {"top_logprobs": 2},
    "logit_bias": {"logit_bias": {"7": 1}},
    "answers": {"answers": 2},
    "format": {"format": Format("json")},
    "thinking": {"thinking": Thinking(effort="low")},
    "verbosity": {"verbosity": "low"},
    "modalities": {"modalities": ["text", "audio"]},
    "audio": {"audio": AudioOut(voice="alloy")},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "user": {"user": "u"},
    "service_tier": {"service_tier": "auto"},
    "cache_key": {"cache_key": "k"},
    "json_schema": {"format": Format("schema", schema={"type": "object"})},
}
"""One value of each slot that asks for something."""

PIECE: dict[str, AnyPart] = {
    "image": Image(data="aGk=", media_type="image/png", at=AT),
    "image_url": Image(url="https://example.com/a.png", at=AT),
    "file": File(data="aGk=", media_type="application/pdf", at=AT),
    "audio": Audio(data="aGk=", media_type="audio/wav", at=AT),
}


def rendered(request: Request, wire: str, facts: Facts) -> tuple[Any, list[str]]:
    target = Target(wire, "gpt-5", facts)
    losses = Losses(target.label)
    return DIALECTS[wire].render_request(request, target, losses), losses.fields + losses.hints


def asking(name: str) -> Request:
    """A conversation that asks for the slot alone. Choices among tools need some."""
    more: dict[str, Any] = {"tools": [TOOL]} if name in ("tool_choice", "parallel_tools") else {}
    return Request(messages=[Message(role="user", parts=[Text(text="Hi", at="x")], at="messages[0]")], **more, **ASKING[name])


@pytest.mark.parametrize("wire", [CHAT, RESPONSES])
@pytest.mark.parametrize("name", sorted(ASKING))
def test_what_a_vendor_lacks_is_told_and_leaves_no_trace(wire: str, name: str) -> None:
    lacking = BY_SLUG["openai"]._replace(lacks=frozenset({name}))
    asked = asking(name)
    slot = next(iter(ASKING[name]))
    without = msgspec.structs.replace(asked, **{slot: getattr(Request(), slot)})

    body, told = rendered(asked, wire, lacking)

    assert body == rendered(without, wire, lacking)[0]
    assert told == (["tools[0]"] if slot == "tools" else [slot])
    assert name in ("json_schema", "format") or rendered(without, wire, lacking)[1] == []


@pytest.mark.parametrize("wire", [CHAT, RESPONSES])
@pytest.mark.parametrize("name", sorted(PIECE))
def test_a_piece_that_a_vendor_lacks_is_named_by_its_place(wire: str, name: str) -> None:
    request = Request(messages=[Message(role="user", parts=[PIECE[name], Text(text="?", at="y")], at="messages[0]")])
    lacking = BY_SLUG["openai"]._replace(lacks=frozenset({name}))

    assert rendered(request, wire, lacking)[1] == [AT]
    assert rendered(request, wire, BY_SLUG["openai"])[1] == []


@pytest.mark.parametrize("wire", [CHAT, RESPONSES])
@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("tool_choice", {"tools": [TOOL], "tool_choice": ToolChoice("auto")}),
        ("parallel_tools", {"tools": [TOOL], "parallel_tools": True}),
        ("format", {"format": Format("text")}),
        ("presence_penalty", {"presence_penalty": 0}),
        ("top_logprobs", {"top_logprobs": 0}),
        ("answers", {"answers": 1}),
    ],
)
def test_what_would_happen_anyway_is_written_to_nobody_who_lacks_it(wire: str, name: str, slots: dict[str, Any]) -> None:
    lacking = BY_SLUG["openai"]._replace(lacks=frozenset({name}))
    without = {slot: value for slot, value in slots.items() if slot == "tools"}

    assert rendered(Request(**slots), wire, lacking) == rendered(Request(**without), wire, lacking)


def test_strict_tools_names_and_summaries_are_told_where_they_are_lacked() -> None:
    strict = Request(tools=[msgspec.structs.replace(TOOL, strict=True)], format=Format("schema", schema={}, strict=True))
    named = Request(messages=[Message(role="user", parts=[Text(text="Hi", at="x")], name="Ann", at="messages[0]")])
    lacking = BY_SLUG["openai"]._replace(lacks=frozenset({"strict", "name", "show"}))

    for wire in (CHAT, RESPONSES):
        body, told = rendered(strict, wire, lacking)
        assert sorted(told) == ["format.strict", "tools[0].strict"]
        assert "strict" not in str(body)
    body, told = rendered(named, CHAT, lacking)
    assert (told, body["messages"]) == (["messages[0].name"], [{"role": "user", "content": "Hi"}])
    body, told = rendered(Request(thinking=Thinking(effort="low", show="auto")), RESPONSES, lacking)
    assert (told, body["reasoning"]) == (["thinking.summary"], {"effort": "low"})


EVERYTHING = {
    "model": "m",
    "max_tokens": 4096,
    "stream": True,
    "temperature": 1,
    "top_p": 0.96,
    "top_k": 40,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u-1"},
    "service_tier": "standard_only",
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "look", "description": "Looks", "input_schema": {"type": "object"}, "strict": True}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Let me look.", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "look", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01A09q90qw90lq917835lq9", "content": "A cat."}]},
    ],
}


def sent(slug: str) -> Written:
    """What an Anthropic caller's request of everything becomes for this vendor."""
    request = ANTHROPIC.parse_request(EVERYTHING, "", True)
    facts = BY_SLUG[slug]
    return written_best(request, facts.wires, model="some-model", facts=facts)


TOP_K, PDF, MARK, THOUGHT = "top_k", "messages[0].content[3]", "system[0].cache_control", "messages[1].content[0]"
SCHEMA, USER, TIER, BY_URL = "output_config.format", "metadata.user_id", "service_tier", "messages[0].content[2]"
SENT: dict[str, tuple[str, set[str], set[str]]] = {
    "openai": (CHAT, {TOP_K}, {MARK, THOUGHT, TIER}),
    "azure": (CHAT, {TOP_K}, {MARK, THOUGHT, TIER}),
    "aws-openai": (CHAT, {TOP_K}, {MARK, THOUGHT, TIER}),
    "mistral": (CHAT, set(), {MARK, THOUGHT, USER}),
    "groq": (CHAT, {PDF, TOP_K}, {MARK, TIER}),
    "deepseek": (CHAT, {PDF, SCHEMA, TOP_K}, {MARK, USER, TIER}),
    "x-ai": (RESPONSES, {TOP_K, "stop_sequences"}, {MARK, THOUGHT, TIER, "thinking"}),
    "openrouter": (CHAT, set(), {THOUGHT, TIER}),
    "together": (CHAT, {PDF}, {MARK, TIER}),
    "fireworks": (CHAT, {PDF}, {MARK, TIER}),
    "cerebras": (CHAT, {PDF, TOP_K}, {MARK, TIER}),
    "perplexity": (RESPONSES, {PDF, SCHEMA, TOP_K, "stop_sequences"}, {MARK, THOUGHT, USER, TIER, "thinking"}),
    "moonshotai": (CHAT, {PDF, TOP_K}, {MARK, "thinking", USER, TIER}),
    "zai": (CHAT, {PDF, SCHEMA, TOP_K}, {MARK, "thinking", USER, TIER}),
    "voyageai": (CHAT, {TOP_K}, {MARK, THOUGHT, TIER}),
    "ollama": (CHAT, {BY_URL, PDF, TOP_K}, {MARK, USER, TIER}),
    "vllm": (CHAT, set(), {MARK, TIER}),
    "aws": ("bedrock", {BY_URL, "thinking", TOP_K}, {MARK, THOUGHT, USER, TIER, "tool_choice.disable_parallel_tool_use"}),
    "cohere": ("cohere", {PDF}, {MARK, THOUGHT, USER, TIER, "tool_choice.disable_parallel_tool_use"}),
    "google": ("gemini", set(), {MARK, THOUGHT, USER, TIER, "tools[0].strict", "tool_choice.disable_parallel_tool_use"}),
    "google-vertex": ("gemini", set(), {MARK, THOUGHT, USER, TIER, "tools[0].strict", "tool_choice.disable_parallel_tool_use"}),
    "ollama-anthropic": (MESSAGES, {BY_URL, PDF, TOP_K}, set()),
}
"""By vendor: the wire, the fields that are refused by name, and what the call goes without."""


@each_row
def test_a_request_of_everything_is_written_without_what_the_vendor_lacks(facts: Facts) -> None:
    wire, refused, without = SENT.get(facts.slug, (MESSAGES, {TOP_K}, set()))

    written = sent(facts.slug)

    assert (written.wire, set(written.losses.fields), set(written.losses.hints)) == (wire, refused, without)


CHATS = {
    "openai": {"max_completion_tokens", "user", "stream_options"},
    "azure": {"max_completion_tokens", "user", "stream_options"},
    "aws-openai": {"max_completion_tokens", "user", "stream_options"},
    "mistral": {"max_tokens", "top_k", "service_tier"},
    "groq": {"max_completion_tokens", "user", "stream_options"},
    "deepseek": {"max_tokens", "stream_options", "thinking"},
    "openrouter": {"max_tokens", "user", "stream_options", "top_k", "reasoning"},
    "together": {"max_tokens", "user", "stream_options", "top_k"},
    "fireworks": {"max_tokens", "user", "stream_options", "top_k"},
    "cerebras": {"max_completion_tokens", "user", "stream_options"},
    "moonshotai": {"max_completion_tokens", "stream_options", "thinking"},
    "zai": {"max_tokens", "stream_options", "thinking"},
    "ollama": {"max_tokens", "stream_options"},
    "vllm": {"max_tokens", "user", "stream_options", "top_k"},
}
"""By vendor: what its chat has of the fields that vendors differ in."""


@pytest.mark.parametrize("slug", sorted(CHATS))
def test_a_vendor_is_written_the_fields_that_it_has(slug: str) -> None:
    body: Any = sent(slug).body
    differing = {name for names in CHATS.values() for name in names} | {"max_tokens", "max_completion_tokens"}

    assert differing & body.keys() == CHATS[slug]
    thought = next(message for message in body["messages"] if message["role"] == "assistant")
    replays = BY_SLUG[slug].replays
    assert {name for name in REPLAYS if name in thought} == ({replays} - {"", "reasoning_details"})
    (call,) = thought["tool_calls"]
    assert call["id"] == body["messages"][-1]["tool_call_id"]
    assert (re.fullmatch("[a-zA-Z0-9]{9}", call["id"]) is not None) == (slug == "mistral")


def test_what_one_wire_lacks_goes_over_the_other() -> None:
    hello = [Message(role="user", parts=[Text(text="Hi")])]
    schema, stop = Request(messages=hello, format=Format("schema", schema={})), Request(messages=hello, stop=["END"])
    probable = Request(messages=hello, logprobs=True)

    def wire(request: Request, slug: str, model: str) -> str:
        written = written_best(request, BY_SLUG[slug].wires, model=model, facts=BY_SLUG[slug])
        assert written.losses.fields == []
        return written.wire

    assert wire(Request(messages=hello), "deepseek", "deepseek-flash") == CHAT
    assert wire(schema, "deepseek", "deepseek-flash") == RESPONSES
    assert wire(schema, "x-ai", "grok-4.6") == RESPONSES
    assert wire(stop, "x-ai", "grok-4.6") == CHAT
    assert wire(probable, "x-ai", "grok-4.6") == CHAT


def test_a_vendors_reasoning_comes_encrypted_where_it_gives_it_out() -> None:
    def included(model: str) -> Any:
        request = Request(messages=[Message(role="user", parts=[Text(text="Hi")])])
        body: Any = written_best(request, (RESPONSES,), model=model, facts=BY_SLUG["x-ai"]).body
        assert body["store"] is False
        return body.get("include")

    assert included("grok-4.6") == ["reasoning.encrypted_content"]
    assert included("grok-4.20-0309-non-reasoning") is None


@pytest.mark.parametrize(("choice", "refused"), [("auto", []), ("any", ["tool_choice"])])
def test_a_choice_that_is_left_to_the_model_is_none_of_an_engine_that_takes_none(choice: str, refused: list[str]) -> None:
    request = Request(messages=[Message(role="user", parts=[Text(text="Hi")])], tools=[TOOL], tool_choice=ToolChoice(choice))
    body, told = rendered(request, MESSAGES, BY_SLUG["ollama-anthropic"])

    assert told == refused
    assert "tool_choice" not in body
