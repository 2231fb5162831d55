"""What a call may cost at the most, and what it is charged, whoever tries to have it for less."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataplane.snapshot import PriceRecord
from tests.fakes import answers
from tests.fakes.dialects import CHAT, HELLO, MESSAGES
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, said
from tests.llmgateway.proxy.gemini_calls import ask_gemini, gemini_answer, with_gemini

PER_TOKEN = 1_000_000
OUTPUT = PriceRecord(ref="price:output:1", input="0", output="1000")
"""1e-9 USD for each token of output, and nothing for input: what is reserved tells the maximum."""
INPUT = PriceRecord(ref="price:input:1", input="1000", output="0")


def at_claude(house: House, *, name: str = "gpt", model: str = "claude-sonnet-4-5") -> None:
    contents = house.contents
    contents.model(name, contents.deployment("anthropic", model, price=OUTPUT))
    contents.budget(f"team:{house.team}", 10**7 * PER_TOKEN)
    house.publish()


def reserved(house: House) -> int:
    """Tokens that the budget was asked for, of the one call that was made."""
    settled = house.settled()
    assert settled.outcome == "ok"
    return house.reading.intents[settled.id].reserve // PER_TOKEN


@pytest.mark.parametrize("changes", [{}, {"max_completion_tokens": 100}, {"reasoning_effort": "high"}, {"max_tokens": 100_000}])
def test_the_maximum_that_the_gateway_writes_is_the_one_that_it_reserves(changes: dict[str, Any], house: House, provider: Provider) -> None:
    at_claude(house)
    provider.then(said(answers.message("claude-sonnet-4-5")))
    assert house.post(CHAT, **changes).status_code == 200
    assert reserved(house) == provider.last.json["max_tokens"]


def test_a_budget_of_thinking_that_raises_the_maximum_is_reserved_too(house: House, provider: Provider, provider_url: str) -> None:
    with_gemini(house, provider_url)
    at_claude(house, name="gem")
    provider.then(said(answers.message("claude-sonnet-4-5")))
    config = {"maxOutputTokens": 10, "thinkingConfig": {"thinkingBudget": 50_000}}
    assert ask_gemini(house, generationConfig=config).status_code == 200
    assert reserved(house) == provider.last.json["max_tokens"] == 50_010


def test_a_fallback_that_answers_at_greater_length_is_reserved_for(house: House, provider: Provider, provider_url: str) -> None:
    contents = house.contents
    contents.provider("second", f"{provider_url}/v1")
    contents.model("long", contents.deployment("second", "long-real", price=OUTPUT), max_output=60_000)
    contents.model("gpt", contents.deployment("openai", "gpt-real", price=OUTPUT), fallbacks=("long",))
    contents.budget(f"team:{house.team}", 10**7 * PER_TOKEN)
    house.publish()
    provider.then(said(answers.chat()))
    assert house.post(CHAT).status_code == 200
    assert reserved(house) == 60_000


def test_of_two_maxima_in_one_body_the_larger_one_is_reserved(house: House, provider: Provider, provider_url: str) -> None:
    with_gemini(house, provider_url, price=OUTPUT)
    contents = house.contents
    contents.model("gpt", contents.deployment("openai", "gpt-real", price=OUTPUT))
    contents.budget(f"team:{house.team}", 10**7 * PER_TOKEN)
    house.publish()

    provider.then(said(answers.chat()))
    assert house.post(CHAT, max_completion_tokens=1, max_tokens=9_000).status_code == 200
    assert reserved(house) == 9_000

    provider.then(said(gemini_answer()))
    config = {"maxOutputTokens": 1, "max_output_tokens": 9_000, "candidateCount": 1, "candidate_count": 3}
    assert ask_gemini(house, generationConfig={"candidateCount": 4}, generation_config=config).status_code == 200
    assert reserved(house) == 4 * 9_000


REFERRING = [
    b'{"type":"document","source":{"type":"url","url":"https://example.com/long.pdf"}}',
    b'{"type":"document","source":{"t\\u0079pe":"url","url":"https://example.com/long.pdf"}}',
    b'{"type":"image","source":{"type" : "url","url":"https://example.com/big.png"}}',
]


@pytest.mark.parametrize("part", REFERRING)
def test_what_a_message_only_names_may_fill_a_context_window(part: bytes, house: House, provider: Provider) -> None:
    contents = house.contents
    contents.model("claude", contents.deployment("anthropic", "claude-real", price=INPUT))
    contents.budget(f"team:{house.team}", 10**7 * PER_TOKEN)
    house.publish()
    provider.then(said(answers.message()))
    body = b'{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":[%s]}]}' % part
    assert house.post(MESSAGES, body).status_code == 200
    assert reserved(house) >= 128_000


@pytest.mark.parametrize("part", [{"fileData": {"fileUri": "https://youtu.be/x"}}, {"file_data": {"file_uri": "https://youtu.be/x"}}])
def test_a_film_that_google_is_to_fetch_is_reserved_for(part: dict[str, Any], house: House, provider: Provider, provider_url: str) -> None:
    with_gemini(house, provider_url, price=INPUT)
    house.contents.budget(f"team:{house.team}", 10**7 * PER_TOKEN)
    house.publish()
    provider.then(said(gemini_answer()))
    assert ask_gemini(house, contents=[{"role": "user", "parts": [part]}]).status_code == 200
    assert reserved(house) >= 128_000


@pytest.mark.parametrize(
    "query",
    [
        "fields=candidates",
        "alt=json&fields=candidates",
        "%24httpHeaders=x-a%3Ab",
        "$httpMethod=GET",
        "%6bey=AIza",
        "access_token=x",
        "alt=proto",
    ],
)
def test_no_parameter_of_googles_can_leave_the_usage_out_of_an_answer(
    query: str, house: House, provider: Provider, provider_url: str
) -> None:
    with_gemini(house, provider_url)
    provider.then(said(gemini_answer()))
    assert ask_gemini(house, query=f"?{query}").status_code == 200
    assert provider.last.query in ("", "alt=json")


@pytest.mark.parametrize(
    ("query", "events"),
    [("alt=sse", True), ("alt=SSE", True), ("alt=json&alt=sse", True), ("x=alt=sse", False), ("alt=sse&alt=json", False)],
)
def test_a_translated_stream_has_the_form_that_was_asked_for(
    query: str, events: bool, house: House, provider: Provider, provider_url: str
) -> None:
    with_gemini(house, provider_url)
    contents = house.contents
    contents.model("gem", contents.deployment("openai", "gpt-real"))
    house.publish()
    provider.then(said(answers.chat()))
    answer = ask_gemini(house, "streamGenerateContent", query=f"?{query}")
    assert answer.status_code == 200
    assert answer.content.startswith(b"data:" if events else b"[")


def test_an_answer_without_usage_is_charged_by_its_size_when_it_is_translated(house: House, provider: Provider, provider_url: str) -> None:
    with_gemini(house, provider_url)
    contents = house.contents
    contents.model("gem", contents.deployment("openai", "gpt-real"))
    house.publish()
    told = answers.chat()
    told["choices"][0]["message"]["content"] = "word " * 1000
    del told["usage"]
    provider.then(said(told))
    assert ask_gemini(house).status_code == 200
    settled = house.settled()
    assert settled.estimated
    assert 1000 <= settled.usage["output"] <= 2000


@pytest.mark.parametrize("sound", [10**9, 7])
def test_more_sound_than_there_were_tokens_earns_nobody_money(sound: int, house: House, provider: Provider) -> None:
    price = PriceRecord(ref="price:sound:1", input="3", output="15", audio_input="1", audio_output="1")
    contents = house.contents
    contents.model("gpt", contents.deployment("openai", "gpt-real", price=price))
    house.publish()
    told = answers.chat()
    details = {"prompt_tokens_details": {"audio_tokens": sound}, "completion_tokens_details": {"audio_tokens": sound}}
    told["usage"] = {"prompt_tokens": 20, "completion_tokens": 6, **details}
    provider.then(said(told))
    assert house.post(CHAT).status_code == 200
    settled = house.settled()
    assert counted(settled)["audio_input"] == min(sound, 20)
    assert counted(settled)["audio_output"] == min(sound, 6)
    assert float(settled.cost or "-1") > 0
    assert json.loads(provider.last.body)["messages"] == HELLO
