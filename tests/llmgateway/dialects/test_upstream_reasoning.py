"""What Bedrock and Cohere thought, told to callers of other dialects and replayed by them, goes back to where it stood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT as ANTHROPIC
from llmgateway.proxy.dialects.bedrock.codec import DIALECT as BEDROCK
from llmgateway.proxy.dialects.cohere.codec import DIALECT as COHERE
from llmgateway.proxy.dialects.dialect import Asked, Dialect, Target
from llmgateway.proxy.dialects.gemini.codec import DIALECT as GEMINI
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT as CHAT
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT as RESPONSES
from llmgateway.proxy.providers import VENDORS
from tests.llmgateway.dialects.bedrock_samples import ANSWERS
from tests.llmgateway.dialects.cohere_samples import STREAMS

FACTS = {facts.slug: facts for facts in VENDORS}
Replay = Callable[[Any], Any]


def chat(answer: Any) -> Any:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}, answer["choices"][0]["message"]]}


def responses(answer: Any) -> Any:
    return {"model": "m", "input": [{"role": "user", "content": "hi"}, *answer["output"]]}


def anthropic(answer: Any) -> Any:
    said = {"role": "assistant", "content": answer["content"]}
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}, said]}


def gemini(answer: Any) -> Any:
    return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}, answer["candidates"][0]["content"]]}


CALLERS: dict[str, tuple[Dialect, Replay]] = {
    "chat": (CHAT, chat),
    "responses": (RESPONSES, responses),
    "anthropic": (ANTHROPIC, anthropic),
    "gemini": (GEMINI, gemini),
}


def replayed(caller: str, upstream: Dialect, target: Target, answer: Any) -> Any:
    """The assistant's message that the upstream gets back."""
    dialect, replay = CALLERS[caller]
    told = dialect.render_answer(upstream.parse_answer(answer), Asked(Request(), {}, "m", "req_1", 1))
    body = msgspec.json.decode(msgspec.json.encode(replay(told)))
    request = dialect.parse_request(body, "m", False)
    losses = Losses(target.label)
    written = upstream.render_request(request, target, losses)
    assert losses.fields in ([], ["tools"])
    return written["messages"][1]


@pytest.mark.parametrize("caller", CALLERS)
def test_signed_and_redacted_reasoning_comes_back_to_bedrock(caller: str) -> None:
    target = Target("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", FACTS["aws"])
    whole, _ = ANSWERS["reasoning"]
    assert replayed(caller, BEDROCK, target, whole)["content"] == whole["output"]["message"]["content"]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ["plan and calls", "thinking"])
def test_plans_and_thoughts_come_back_to_cohere_each_to_its_place(caller: str, name: str) -> None:
    target = Target("cohere", "command-a-reasoning-08-2025", FACTS["cohere"])
    _, whole = STREAMS[name]
    back = replayed(caller, COHERE, target, whole)
    said = whole["message"]
    assert back.get("tool_plan") == said.get("tool_plan")
    assert back.get("content") == said.get("content")
    calls = [(call["function"]["name"], msgspec.json.decode(call["function"]["arguments"])) for call in back.get("tool_calls", [])]
    assert calls == [(call["function"]["name"], msgspec.json.decode(call["function"]["arguments"])) for call in said.get("tool_calls", [])]
