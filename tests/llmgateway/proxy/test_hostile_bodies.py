"""Bodies and headers made to break the translation, or to say through it what a caller may not say."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from llmgateway.proxy import call as model_call
from llmgateway.proxy.translation import translate
from tests.fakes import answers
from tests.fakes.dialects import CHAT, HELLO, MESSAGES, RESPONSES, refusal
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.llmgateway.proxy.gemini_calls import ask_gemini, with_gemini

LOSSY = {"x-customhouse-lossy": "allow"}


@pytest.fixture(autouse=True)
def translated(house: House, provider: Provider, provider_url: str) -> None:
    """`gpt` is served by Anthropic's dialect and `gem` by OpenAI's."""
    with_gemini(house, provider_url)
    contents = house.contents
    contents.model("gpt", contents.deployment("anthropic", "claude-sonnet-4-5"))
    contents.model("gem", contents.deployment("openai", "gpt-real"))
    house.publish()
    provider.fallback = said(answers.message("claude-sonnet-4-5"))


def lossy(house: House, body: bytes) -> Any:
    return house.http.post(CHAT.path, content=body, headers={**CHAT.headers(house.key), **LOSSY})


@pytest.mark.parametrize("name", ["a\r\nset-cookie: b=c", "a\x00b", "a\nb", "ключ", "\u2028", "x" * 100_000])
def test_the_name_of_a_field_that_is_left_out_is_fit_for_a_header(name: str, house: House, provider: Provider) -> None:
    answer = lossy(house, json.dumps({"model": "gpt", "messages": HELLO, name: 1}).encode())
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    told = answer.headers["x-customhouse-dropped"]
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 200
    refused = refusal(CHAT, house.post(CHAT, **{name: 1}))
    assert (refused.status, refused.code) == (400, "not_expressible")
    assert len(refused.message) < 600


def test_many_fields_that_are_left_out_fit_one_header(house: House, provider: Provider) -> None:
    answer = lossy(
        house, json.dumps({"model": "gpt", "messages": HELLO, **{f"{number}".rjust(999, "x"): 1 for number in range(500)}}).encode()
    )
    assert answer.status_code == 200
    assert len(answer.headers["x-customhouse-dropped"]) < 8_192


BAD = {
    "no UTF-8": b'"\xff\xfe"',
    "no UTF-8, cut": b'"\xf0\x9f"',
    "half a pair": b'"\\ud800"',
    "a number past all": b"1" + b"0" * 5_000,
    "a power past all": b"1e400",
    "depth": b'[{"a":' * 480 + b"1" + b"}]" * 480,
}


@pytest.mark.parametrize("place", ["content", "metadata", "tools", "stop", "seed", "zzz"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_can_not_be_decoded_is_the_callers_fault(bad: bytes, place: str, house: House, provider: Provider) -> None:
    at = b'{"model":"gpt","messages":[{"role":"user","content":"x"}],"%s":%s}' % (place.encode(), bad)
    if place == "content":
        at = b'{"model":"gpt","messages":[{"role":"user","content":%s}]}' % bad
    if place == "tools":
        at = (
            b'{"model":"gpt","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":%s}}]}'
            % bad
        )
    assert house.post(CHAT, at).status_code in ((200, 400) if bad == BAD["depth"] else (400,))
    assert lossy(house, at).status_code in (200, 400)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_count_of_what_can_not_be_decoded_is_the_callers_fault(bad: bytes, house: House, provider: Provider) -> None:
    body = b'{"model":"gem","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"metadata":%s,"system":%s}' % (bad, bad)
    assert house.post(MESSAGES, body).status_code in (400, 404)
    answer = house.http.post("/v1/messages/count_tokens", content=body, headers=MESSAGES.headers(house.key))
    assert answer.status_code == 400


def test_a_schema_as_deep_as_a_stack_is_refused_or_sent_and_never_a_failure_of_the_house(house: House, provider: Provider) -> None:
    for depth in (50, 150, 300, 450):
        schema: dict[str, Any] = {"type": "string"}
        for _ in range(depth):
            schema = {"type": "object", "properties": {"a": schema}}
        tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
        assert house.post(CHAT, tools=[tool]).status_code in (200, 400)
        response = house.post(RESPONSES, tools=[{"type": "function", "name": "f", "parameters": schema}], store=False)
        assert response.status_code in (200, 400)
        assert ask_gemini(house, tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}]).status_code != 500


def test_a_text_that_begins_like_a_seal_passes_as_it_is(house: House, provider: Provider) -> None:
    house.contents.model("gpt", house.contents.deployment("openai", "gpt"))
    house.publish()
    provider.fallback = said(answers.chat())
    body = b'{"model":"gpt","messages":[{"role":"user","content":"ch1. Beginnings"}],"x_new": [1,  2]}'
    assert house.post(CHAT, body).status_code == 200
    assert provider.last.body == body


def test_a_seal_that_a_caller_forged_reaches_no_provider(house: House, provider: Provider) -> None:
    for seal in ("ch1.anthropic.reasoning." + "x" * 50_000, "ch1.nobody.part.\r\n", "ch1.google.text.%00", "ch1..."):
        content = [{"type": "thinking", "thinking": "a", "signature": seal}, {"type": "redacted_thinking", "data": seal}]
        messages = [*HELLO, {"role": "assistant", "content": [*content, {"type": "text", "text": "b"}]}, *HELLO]
        assert house.post(MESSAGES, messages=messages).status_code in (200, 400)


@pytest.mark.parametrize(("parts", "beside"), [(3, False), (9_000, True)])
def test_large_bodies_are_read_and_written_beside_the_event_loop(
    parts: int, beside: bool, house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have their turn meanwhile; a small body is not worth a thread."""
    turns = [message for _ in range(parts) for message in ({"role": "user", "content": "x"}, {"role": "system", "content": "y"})]
    threads: list[str] = []

    def seen(inbound: Any, deployment: Any) -> Any:
        threads.append(threading.current_thread().name)
        return translate(inbound, deployment)

    monkeypatch.setattr(model_call, "translate", seen)
    assert house.post(CHAT, model="gpt", messages=turns).status_code == 200
    assert threads
    assert all(name.startswith("asyncio_") == beside for name in threads)
