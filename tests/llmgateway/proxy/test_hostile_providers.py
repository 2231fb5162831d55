"""Providers that are hostile or broken, behind a translation and without one: what they can make the house hold, pay or tell."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from llmgateway.proxy.translation import meter
from tests.fakes import answers
from tests.fakes.dialects import CHAT, refusal
from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, events, said, streamed
from tests.llmgateway.proxy.gemini_calls import ask_gemini, gemini_answer, with_gemini

SECRET = "arn:aws:iam::123456789012:user/house"


def at(house: House, provider_url: str, dialect: str, **more: Any) -> None:
    """`gpt` is served by one deployment of this dialect."""
    contents = house.contents
    contents.provider("other", provider_url, dialect=dialect, **more)
    contents.model("gpt", contents.deployment("other", "anthropic.claude-sonnet-4-5" if dialect == "bedrock" else "real"))
    house.publish()


ACCOUNT = [
    ("bedrock", 403, {"__type": "UnrecognizedClientException", "message": f"The security token of {SECRET} is invalid."}),
    ("bedrock", 403, {"message": f"Signature expired for {SECRET}"}),
    ("gemini", 400, {"error": {"code": 400, "message": SECRET, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}),
    ("anthropic", 401, {"type": "error", "error": {"type": "authentication_error", "message": SECRET}}),
    ("openai", 401, {"error": {"message": SECRET, "code": "invalid_api_key"}}),
]


@pytest.mark.parametrize(("dialect", "status", "body"), ACCOUNT)
def test_what_a_provider_says_of_the_houses_account_is_not_told_on(
    dialect: str, status: int, body: dict[str, Any], house: House, provider: Provider, provider_url: str
) -> None:
    at(house, provider_url, dialect)
    provider.fallback = said(body, status=status)
    answer = house.post(CHAT)
    told = refusal(CHAT, answer)
    assert (told.status, told.code) == (502, "upstream_account_refused")
    assert SECRET not in answer.text
    assert house.settled().cost == "0"


def test_googles_own_callers_are_not_told_of_the_houses_key_either(house: House, provider: Provider, provider_url: str) -> None:
    with_gemini(house, provider_url)
    provider.fallback = said(ACCOUNT[2][2], status=400)
    answer = ask_gemini(house)
    assert answer.status_code == 502
    assert SECRET not in answer.text


@pytest.mark.parametrize("translated", [False, True])
def test_comments_without_end_are_not_gathered(translated: bool, house: House, provider: Provider, provider_url: str) -> None:
    if translated:
        at(house, provider_url, "anthropic")
    words = answers.message_pieces() if translated else answers.chat_pieces()
    provider.then(streamed(*[b": " + b"x" * 1000 + b"\n\n"] * 200, *words))
    answer = house.post(CHAT, stream=True)
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("data: [DONE]")
    settled = house.settled()
    assert (settled.outcome, settled.usage["output"]) == ("ok", 6)


def test_a_translated_stream_has_a_greatest_length(
    house: House, provider: Provider, provider_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "MAX_ANSWER", 100_000)
    at(house, provider_url, "openai")
    with_gemini(house, provider_url)
    house.contents.model("gem", house.contents.deployment("openai", "gpt-real"))
    house.publish()
    chunk = events({"choices": [{"index": 0, "delta": {"content": "x" * 900}}]}, done=False)
    provider.then(streamed(*[chunk] * 500, end="hang"))
    answer = ask_gemini(house, "streamGenerateContent", query="?alt=sse")
    assert answer.status_code == 200
    assert "upstream_answer_too_large" in answer.text
    provider.last.wait_gone()
    settled = house.settled()
    assert (settled.outcome, settled.estimated) == ("error", True)
    assert settled.usage["output"] > 50


@pytest.mark.parametrize("status", [0, 200, 399, 600, 10**9, -1, "400", None, True])
def test_the_status_of_an_error_inside_a_stream_is_one_of_http(status: Any, house: House, provider: Provider, provider_url: str) -> None:
    at(house, provider_url, "gemini")
    provider.fallback = streamed(b"data: " + json.dumps({"error": {"code": status, "message": "m", "status": "x"}}).encode() + b"\n\n")
    assert 400 <= house.post(CHAT, stream=True).status_code < 600
    with_gemini(house, provider_url)
    house.contents.model("gem", house.contents.deployment("openai", "gpt-real"))
    house.publish()
    provider.fallback = streamed(b"data: " + json.dumps({"error": {"code": status, "status": status, "message": "m"}}).encode() + b"\n\n")
    assert 400 <= ask_gemini(house, "streamGenerateContent").status_code < 600


ODD_USAGE = [{"input_tokens": -5, "output_tokens": -5}, {"input_tokens": 10**30, "output_tokens": 1}, {"input_tokens": 1.5}, {}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", ODD_USAGE)
def test_a_usage_that_can_not_be_true_is_estimated(usage: Any, stream: bool, house: House, provider: Provider, provider_url: str) -> None:
    at(house, provider_url, "anthropic")
    if stream:
        pieces = [re.sub(rb'"usage": \{[^{}]*\}', b'"usage": ' + json.dumps(usage).encode(), piece) for piece in answers.message_pieces()]
        provider.then(streamed(*pieces))
    else:
        provider.then(said({**answers.message(), "usage": usage}))
    answer = house.post(CHAT, stream=stream)
    assert answer.status_code == 200
    settled = house.settled()
    assert (settled.outcome, settled.estimated) == ("ok", True)
    assert all(count >= 0 for count in settled.usage.values())
    assert settled.usage["input"] > 0
    assert settled.usage["output"] > 0
    assert float(settled.cost or "-1") > 0


@pytest.fixture(scope="module")
def account_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


TOKEN = said({"access_token": "ya29.token", "expires_in": 3600})
NO_TOKENS = {
    "refused": said({"error": "invalid_grant"}, status=400),
    "cut": Reply(pieces=(b'{"access_token"',), end="cut", sized=True),
    "no JSON": Reply(pieces=(b"<html>",)),
    "nested": Reply(pieces=(b"[" * 50_000,)),
    "too large": Reply(pieces=(b" " * 200_000,)),
    "a line end": said({"access_token": "ya29\r\nx-evil: 1"}),
    "no ASCII": said({"access_token": "tokén"}),
    "empty": said({"access_token": ""}),
    "failed": said({}, status=503),
}


@pytest.mark.parametrize("reply", NO_TOKENS.values(), ids=NO_TOKENS)
def test_a_token_that_can_not_be_had_costs_nothing_and_is_asked_for_again(
    reply: Reply, house: House, provider: Provider, provider_url: str, account_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstreams = house.kit.upstreams
    get = upstreams.get
    monkeypatch.setattr(upstreams, "get", lambda url, *, allow_private, timeouts: get(url, allow_private=True, timeouts=timeouts))
    stored = {"client_email": "a@b.c", "private_key": account_key, "token_uri": f"{provider_url}/token"}
    at(house, f"{provider_url}/v1/projects/p/locations/l", "gemini", vendor="google-vertex", secret=json.dumps(stored))
    provider.then(reply)

    answer = house.post(CHAT)

    assert answer.status_code in (502, 503, 504)
    assert [asked.path for asked in provider.asked] == ["/token"]
    settled = house.settled()
    assert (settled.outcome, settled.cost, settled.usage) == ("error", "0", {})

    provider.then(TOKEN, said(gemini_answer()))
    assert house.post(CHAT).status_code == 200
    assert provider.last.header("authorization") == "Bearer ya29.token"
    assert house.settled().outcome == "ok"


def test_a_stream_of_very_many_parts_is_ended(house: House, provider: Provider, provider_url: str) -> None:
    at(house, provider_url, "gemini")
    parts = [{"text": "x"}, {"text": "y", "thought": True}] * 2_000
    provider.then(streamed(b"data: " + json.dumps({"candidates": [{"content": {"parts": parts}}]}).encode() + b"\n\n"))
    answer = house.post(CHAT, stream=True)
    assert (answer.status_code, refusal(CHAT, answer).code) == (502, "upstream_answer_too_large")
    settled = house.settled()
    assert (settled.outcome, settled.estimated) == ("error", True)
    assert settled.usage["output"] > 0
