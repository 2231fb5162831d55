"""What goes wrong at a vendor is told to a coding tool as its own vendor would: it shortens its conversation, waits or gives up."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from tests.fakes.provider import Provider, Reply, said
from tests.llmgateway.agents import claude_code as as_claude
from tests.llmgateway.agents import codex as as_codex
from tests.llmgateway.agents.acting import VENDORS
from tests.llmgateway.agents.claude_code import ClaudeCode
from tests.llmgateway.agents.codex import Codex
from tests.llmgateway.agents.conftest import model_of


def openais(code: str, message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": "messages", "code": code}}


def anthropics(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def googles(code: int, status: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status}}


def awss(status: int, kind: str, message: str, *headers: tuple[str, str]) -> Reply:
    return said({"message": message}, status=status, headers=(("x-amzn-errortype", kind), *headers))


WINDOW = "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens."
GOOGLES = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
TOO_LONG = {
    "anthropic": said(anthropics("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), status=400),
    "openai": said(openais("context_length_exceeded", "Your input exceeds the context window of this model."), status=400),
    "together": said(openais("context_length_exceeded", WINDOW), status=400),
    "openrouter": said(openais("context_length_exceeded", WINDOW), status=400),
    "gemini": said(googles(400, "INVALID_ARGUMENT", GOOGLES), status=400),
    "bedrock": awss(400, "ValidationException", "Input is too long for requested model."),
}  # fmt: skip
WAIT = ("retry-after", "7")
LIMITED = {
    "anthropic": said(anthropics("rate_limit_error", "Slow down."), status=429, headers=[WAIT]),
    "openai": said(openais("rate_limit_exceeded", "Slow down.", "tokens"), status=429, headers=[WAIT]),
    "together": said(openais("rate_limit_exceeded", "Slow down.", "rate_limit"), status=429, headers=[WAIT]),
    "openrouter": said(openais("rate_limit_exceeded", "Slow down.", "rate_limit"), status=429, headers=[WAIT]),
    "gemini": said(googles(429, "RESOURCE_EXHAUSTED", "Slow down."), status=429, headers=[WAIT]),
    "bedrock": awss(429, "ThrottlingException", "Slow down.", WAIT),
}
BUSY = {
    "anthropic": said(anthropics("overloaded_error", "Overloaded"), status=529),
    "openai": said(openais("server_is_overloaded", "Overloaded", "server_error"), status=503),
    "together": said(openais("overloaded", "Overloaded", "server_error"), status=503),
    "openrouter": said(openais("overloaded", "Overloaded", "server_error"), status=503),
    "gemini": said(googles(503, "UNAVAILABLE", "Overloaded"), status=503),
    "bedrock": awss(503, "ServiceUnavailableException", "Overloaded"),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_claude_code_reads_that_its_prompt_is_too_long(
    vendor: str, provider: Provider, claude: ClaudeCode, plain_claude: ClaudeCode
) -> None:
    provider.then(TOO_LONG[vendor])
    with pytest.raises(anthropic.BadRequestError) as raised:
        (claude if vendor == "anthropic" else plain_claude).ask(model_of(vendor), as_claude.opening())

    error = raised.value.body["error"]  # type: ignore[index]
    assert error["type"] == "invalid_request_error"
    assert "prompt is too long" in error["message"].lower()


@pytest.mark.parametrize("vendor", VENDORS)
def test_codex_reads_that_its_context_is_full(vendor: str, provider: Provider, codex: Codex) -> None:
    provider.then(TOO_LONG[vendor])
    with pytest.raises(openai.BadRequestError) as raised:
        codex.ask(model_of(vendor), as_codex.opening())

    assert raised.value.code == "context_length_exceeded"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_rate_limit_is_each_tools_own_with_the_time_to_wait(
    vendor: str, provider: Provider, plain_claude: ClaudeCode, codex: Codex
) -> None:
    provider.fallback = LIMITED[vendor]
    with pytest.raises(anthropic.RateLimitError) as of_claude:
        plain_claude.ask(model_of(vendor), as_claude.opening())
    with pytest.raises(openai.RateLimitError) as of_codex:
        codex.ask(model_of(vendor), as_codex.opening())

    assert of_claude.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    assert of_claude.value.response.headers["retry-after"] == of_codex.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_overloaded_vendor_is_one_that_may_be_asked_again(
    vendor: str, provider: Provider, plain_claude: ClaudeCode, codex: Codex
) -> None:
    provider.fallback = BUSY[vendor]
    with pytest.raises(anthropic.InternalServerError) as of_claude:
        plain_claude.ask(model_of(vendor), as_claude.opening())
    with pytest.raises(openai.InternalServerError) as of_codex:
        codex.ask(model_of(vendor), as_codex.opening())

    assert of_claude.value.body["error"]["type"] == "overloaded_error"  # type: ignore[index]
    assert of_codex.value.status_code in (503, 529)
