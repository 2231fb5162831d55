"""How long is this prompt? Asked in two dialects, answered by whoever counts, and estimated where nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from google import genai

from tests.fakes.house import House
from tests.fakes.provider import Provider, said

HELLO: list[Any] = [{"role": "user", "content": "How many tokens are these, would you say?"}]
TOOLS: list[Any] = [{"name": "weather", "description": "The weather.", "input_schema": {"type": "object", "properties": {}}}]


@pytest.fixture
def counters(house: House, provider_url: str) -> House:
    """A model at each kind of provider."""
    contents = house.contents
    contents.provider("vendor", f"{provider_url}/v1", vendor="mistral")
    contents.provider("google", provider_url, dialect="gemini")
    contents.provider("aws", provider_url, dialect="bedrock")
    for name, account in (("counted", "vendor"), ("flash", "google"), ("nova", "aws")):
        contents.grant(f"team:{house.team}", contents.model(name, contents.deployment(account, f"{name}-real")))
    house.publish()
    return house


@pytest.fixture
def gemini(counters: House) -> Iterator[genai.Client]:
    opened = genai.Client(api_key=counters.key, http_options={"base_url": counters.url})
    yield opened
    opened.close()


def test_a_count_in_its_own_dialect_passes_and_costs_nothing(counters: House, provider: Provider, claude: anthropic.Anthropic) -> None:
    provider.then(said({"input_tokens": 42}))
    assert claude.messages.count_tokens(model="claude", messages=HELLO, tools=TOOLS).input_tokens == 42
    assert provider.last.path == "/v1/messages/count_tokens"
    assert provider.last.json["model"] == "claude-real"
    assert counters.journaled() == []


@pytest.mark.parametrize(
    ("model", "answer", "path"),
    [
        ("counted", {"object": "response.input_tokens", "input_tokens": 17}, "/v1/responses/input_tokens"),
        ("flash", {"totalTokens": 17}, "/v1beta/models/flash-real:countTokens"),
    ],
)
def test_an_anthropic_caller_is_told_what_another_vendor_counts(
    model: str, answer: dict[str, Any], path: str, counters: House, provider: Provider, claude: anthropic.Anthropic
) -> None:
    provider.then(said(answer))
    assert claude.messages.count_tokens(model=model, messages=HELLO, system="Be brief.", tools=TOOLS).input_tokens == 17
    assert provider.last.path == path
    assert not {"stream", "max_output_tokens", "store"} & set(provider.last.json)
    assert counters.journaled() == []


def test_googles_client_is_told_what_anthropic_counts(counters: House, provider: Provider, gemini: genai.Client) -> None:
    provider.then(said({"input_tokens": 23}))
    assert gemini.models.count_tokens(model="claude", contents="How many?").total_tokens == 23
    assert provider.last.path == "/v1/messages/count_tokens"


@pytest.mark.parametrize("model", ["gpt", "nova"])
def test_where_nobody_counts_the_house_estimates_and_says_so(
    model: str, counters: House, provider: Provider, claude: anthropic.Anthropic, gemini: genai.Client
) -> None:
    short = claude.messages.with_raw_response.count_tokens(model=model, messages=HELLO)
    assert short.headers["x-customhouse-estimated"] == "true"
    assert 8 <= short.parse().input_tokens <= 25
    longer = claude.messages.count_tokens(model=model, messages=[{"role": "user", "content": "word " * 4000}])
    assert 4000 <= longer.input_tokens <= 7000
    assert (gemini.models.count_tokens(model=model, contents="word " * 400).total_tokens or 0) >= 400
    assert provider.asked == []
    assert counters.journaled() == []


def test_a_model_that_is_not_granted_is_not_counted_for_either(counters: House, provider: Provider, claude: anthropic.Anthropic) -> None:
    counters.contents.model("secret", counters.contents.deployment("openai", "secret-real"))
    counters.publish()
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.count_tokens(model="secret", messages=HELLO)
    assert provider.asked == []


def test_a_count_that_can_not_be_read_is_a_502_of_the_callers_dialect(counters: House, provider: Provider) -> None:
    provider.then(said({"totalTokens": "many"}))
    answer = counters.http.post(
        "/v1/messages/count_tokens", json={"model": "flash", "messages": HELLO}, headers={"x-api-key": counters.key}
    )
    assert (answer.status_code, answer.json()["type"]) == (502, "error")


def test_an_upstreams_refusal_of_a_count_is_told_in_the_callers_dialect(counters: House, provider: Provider) -> None:
    provider.then(said({"error": {"code": 400, "message": "too long", "status": "INVALID_ARGUMENT"}}, status=400))
    answer = counters.http.post(
        "/v1/messages/count_tokens", json={"model": "flash", "messages": HELLO}, headers={"x-api-key": counters.key}
    )
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
