"""What coding tools send beside the conversation: where it goes, and what the house says it left out, exactly."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.llmgateway.agents import claude_code as as_claude
from tests.llmgateway.agents import codex as as_codex
from tests.llmgateway.agents.acting import VENDORS, Steps, Vendors
from tests.llmgateway.agents.claude_code import BETAS, HEADERS, ClaudeCode
from tests.llmgateway.agents.codex import Codex
from tests.llmgateway.agents.conftest import model_of

MARKS = ["messages[3].content[1].cache_control", "system[1].cache_control", "system[2].cache_control"]
CLAUDE_DROPPED = {
    "anthropic": [],
    "openai": MARKS,
    "together": MARKS,
    "openrouter": [],
    "gemini": ["messages[1].role", "messages[2].content[0]", *MARKS[:1], "metadata.user_id", *MARKS[1:]],
    "bedrock": ["metadata.user_id"],
}
"""After one step. Of Gemini's thoughts only those that are signed go back to it."""

OTHERS = [
    "client_metadata", "include", "input[0].id", "input[1].id", "prompt_cache_key", "store", "text.verbosity", "tools[3].description",
    "tools[4]",
]  # fmt: skip
CODEX_DROPPED = {
    "anthropic": OTHERS,
    "openai": [],
    "together": OTHERS,
    "openrouter": [],
    "gemini": [*OTHERS[:4], "input[4]", *OTHERS[4:]],
    "bedrock": OTHERS,
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_of_claude_codes_call_is_left_out_but_this(
    vendor: str, vendors: Vendors, claude: ClaudeCode, plain_claude: ClaudeCode
) -> None:
    vendors.lane(vendor, as_claude.NAMES, steps=1)
    tool = claude if vendor == "anthropic" else plain_claude
    tool.work(model_of(vendor), 1)

    assert sorted(tool.dropped) == CLAUDE_DROPPED[vendor]


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_of_codex_call_is_left_out_but_this(vendor: str, vendors: Vendors, codex: Codex) -> None:
    vendors.lane(vendor, as_codex.NAMES, steps=1)
    codex.work(model_of(vendor), 1)

    assert sorted(codex.dropped) == CODEX_DROPPED[vendor]


def test_on_its_own_vendor_claude_codes_call_passes_as_it_is(vendors: Vendors, provider: Provider, claude: ClaudeCode) -> None:
    vendors.lane("anthropic", as_claude.NAMES, steps=1)
    claude.work(model_of("anthropic"), 1)

    first = provider.asked[0]
    assert first.json == as_claude.body(model_of("anthropic"), as_claude.marked(as_claude.opening()))
    assert (first.header("anthropic-beta"), first.header("anthropic-version")) == (BETAS, HEADERS["anthropic-version"])
    assert first.header("x-api-key") == "sk-plain"
    assert first.header("authorization") is None


def test_on_its_own_vendor_codex_call_passes_as_it_is(vendors: Vendors, provider: Provider, codex: Codex) -> None:
    vendors.lane("openai", as_codex.NAMES, steps=1)
    codex.work(model_of("openai"), 1)

    assert provider.asked[0].json == as_codex.body(model_of("openai"), as_codex.opening())


def test_cache_markers_survive_where_there_are_any(vendors: Vendors, provider: Provider, plain_claude: ClaudeCode) -> None:
    vendors.lane("bedrock", as_claude.NAMES, steps=1)
    plain_claude.work(model_of("bedrock"), 1)
    bedrock = provider.last.json
    assert [next(iter(block)) for block in bedrock["system"]] == ["text", "text", "cachePoint", "text", "cachePoint"]
    assert "cachePoint" in bedrock["messages"][-1]["content"][-1]

    vendors.lane("openrouter", as_claude.NAMES, steps=1)
    plain_claude.work(model_of("openrouter"), 1)
    assert provider.last.body.count(b'"cache_control"') == 3


@pytest.mark.parametrize("vendor", ["anthropic", "together", "gemini", "bedrock"])
def test_codex_instructions_are_instructions_at_every_vendor(vendor: str, vendors: Vendors, provider: Provider, codex: Codex) -> None:
    vendors.lane(vendor, as_codex.NAMES, steps=1)
    codex.work(model_of(vendor), 1)

    asked = provider.asked[0].json
    chat = [message["content"] for message in asked.get("messages", ()) if message["role"] in ("system", "developer")]
    held = asked.get("system") or asked.get("systemInstruction") or chat
    assert "You are an agent." in str(held)
    assert "No sandbox." in str(held)
    assert str(asked).count("You are an agent.") == 1


@pytest.mark.parametrize("vendor", ["anthropic", "together", "gemini", "bedrock"])
def test_a_search_that_openai_runs_is_refused_elsewhere_by_its_name(vendor: str, codex: Codex, provider: Provider) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        codex.ask(model_of(vendor), as_codex.opening(), tools=[*as_codex.TOOLS, as_codex.WEB_SEARCH])

    assert (refused.value.code, refused.value.param) == ("not_expressible", "tools[5]")
    assert provider.asked == []


@pytest.mark.parametrize("vendor", ["anthropic", "together", "gemini", "bedrock"])
def test_tools_that_codex_offers_in_its_input_are_offered_to_every_model(vendor: str, vendors: Vendors, codex: Codex) -> None:
    lane = vendors.lane(vendor, as_codex.NAMES, steps=2)
    grouped = {"type": "namespace", "name": "functions", "description": "", "tools": [as_codex.TOOLS[1]]}
    added = {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [as_codex.TOOLS[0], grouped]}
    items = codex.ask(model_of(vendor), [added, *as_codex.opening()], tools=[])

    assert [item["name"] for item in items if item["type"].endswith("_call")] == ["exec_command", "exec_command"]
    assert lane.found == []


COUNTED: dict[str, tuple[Any, str]] = {
    "anthropic": ({"input_tokens": 321}, "/anthropic/v1/messages/count_tokens"),
    "openai": ({"object": "response.input_tokens", "input_tokens": 321}, "/openai/v1/responses/input_tokens"),
    "gemini": ({"totalTokens": 321}, "/gemini/v1beta/models/gemini-3-pro-preview:countTokens"),
}


@pytest.mark.parametrize("vendor", COUNTED)
def test_claude_codes_tokens_are_counted_by_the_vendor(vendor: str, house: House, provider: Provider) -> None:
    answer, path = COUNTED[vendor]
    provider.then(said(answer))
    body = as_claude.body(model_of(vendor), as_claude.opening())
    counted = {name: body[name] for name in ("model", "messages", "system", "tools", "thinking")}
    headers = {"authorization": f"Bearer {house.key}", **HEADERS, "anthropic-beta": f"{BETAS},token-counting-2024-11-01"}
    told = house.http.post("/v1/messages/count_tokens?beta=true", json=counted, headers=headers)

    assert (told.status_code, told.json()["input_tokens"]) == (200, 321)
    assert provider.last.path == path


@pytest.mark.parametrize("vendor", VENDORS)
def test_codex_has_a_conversation_summed_up_without_tools(vendor: str, vendors: Vendors, provider: Provider, codex: Codex) -> None:
    lane = vendors.lane(vendor, as_codex.NAMES, steps=4)
    items, tools = as_codex.opening(), Steps(as_codex.NAMES)
    for _ in range(4):
        said_now = codex.ask(model_of(vendor), items)
        items += said_now
        items += [as_codex.result(call, tools) for call in said_now if call["type"].endswith("_call")]
    ask = as_codex.told("user", "Sum up what was done so far.", "msg_e")
    summary = codex.ask(model_of(vendor), [*items, ask], tools=[], parallel_tool_calls=False)

    # Bedrock insists on tools where some were called.
    assert [part["text"] for item in summary for part in item["content"]] == [lane.last_words if vendor == "bedrock" else "A title"]
    for word in ("first 0", "patched 1", "fails 2", "Sum up what was done so far."):
        assert word in provider.last.body.decode()
    assert lane.found == []
