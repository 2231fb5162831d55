"""What the gateway owns of a request, and that nobody gets past it with a body that two parsers read differently."""

from __future__ import annotations

import gzip
import json

import pytest

from dataplane.sealing import Sealer
from dataplane.snapshot import PriceRecord
from tests.fakes.dialects import CALLS, CHAT, MESSAGES, Call, refusal
from tests.fakes.house import House
from tests.fakes.provider import Provider, said

each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)

AMBIGUOUS = [
    b'{"model": "hidden", "messages": [{"role": "user", "content": "x"}], "model": "same"}',
    b'{"mod\\u0065l": "hidden", "messages": [{"role": "user", "content": "x"}], "model": "same"}',
    b'{"\\u006dodel": "hidden", "messages": [{"role": "user", "content": "x"}], "model": "same"}',
    b'{"\\u006Dodel": "hidden", "messages": [{"role": "user", "content": "x"}], "model": "same"}',
    b'{"model": "same", "messages": [{"role": "user", "content": "\\"model\\": \\"hidden\\""}]}',
]


@pytest.mark.parametrize("body", AMBIGUOUS)
def test_a_model_that_is_named_twice_is_named_once_upstream(body: bytes, house: House, provider: Provider) -> None:
    """The model's name is the deployment's own here, so that nothing else makes the gateway write the body anew."""
    contents = house.contents
    contents.model("hidden", contents.deployment("openai", "hidden"))
    contents.grant(f"team:{house.team}", contents.model("same", contents.deployment("openai", "same")))
    house.publish()
    provider.then(said(CHAT.answer))

    assert house.post(CHAT, body).status_code == 200

    members = json.loads(provider.last.body, object_pairs_hook=list)
    assert [value for name, value in members if name == "model"] == ["same"]


@pytest.mark.parametrize("body", [b.replace(b"same", b"\x00").replace(b"hidden", b"same").replace(b"\x00", b"hidden") for b in AMBIGUOUS])
def test_a_model_that_is_not_granted_is_not_reached_by_naming_it_last(body: bytes, house: House, provider: Provider) -> None:
    contents = house.contents
    contents.model("hidden", contents.deployment("openai", "hidden"))
    contents.grant(f"team:{house.team}", contents.model("same", contents.deployment("openai", "same")))
    house.publish()
    provider.fallback = said(CHAT.answer)

    answer = house.post(CHAT, body)

    assert answer.status_code == 404
    assert provider.asked == []


def test_a_body_that_needs_no_change_is_forwarded_byte_for_byte(house: House, provider: Provider) -> None:
    house.contents.grant(f"team:{house.team}", house.contents.model("same", house.contents.deployment("openai", "same")))
    house.publish()
    provider.then(said(CHAT.answer))
    body = b'\n{ "model" :\t"same",\r\n "messages":[ {"role":"user","content":"\\u00fc \xc3\xbc"} ], "x": 1.0e+2, "x": [ ] }\n'
    assert house.post(CHAT, body).status_code == 200
    assert provider.last.body == body


def test_what_is_not_owned_keeps_its_bytes_when_the_model_is_renamed(house: House, provider: Provider) -> None:
    provider.then(said(CHAT.answer))
    odd = b'[ {"role":"user","content":"\\u00fc \xc3\xbc", "n": 1.0e+2 , "k": 0.10} ]'
    assert house.post(CHAT, b'{"model": "gpt", "messages": ' + odd + b', "z": -0.0}').status_code == 200
    assert odd in provider.last.body
    assert b"-0.0" in provider.last.body
    assert provider.last.json["model"] == "gpt-real"


def test_a_compressed_request_is_refused_instead_of_misread(house: House, provider: Provider) -> None:
    body = gzip.compress(json.dumps(CHAT.body).encode())
    answer = house.http.post(CHAT.path, content=body, headers={**CHAT.headers(house.key), "content-encoding": "gzip"})
    assert refusal(CHAT, answer).status == 400
    assert provider.asked == []


@each_call
def test_a_providers_new_credential_is_used_from_its_publication_on(
    call: Call, house: House, provider: Provider, provider_url: str
) -> None:
    provider.fallback = said(call.answer)
    assert house.post(call).status_code == 200
    name = "anthropic" if call.anthropic else "openai"
    base = provider_url + ("" if call.anthropic else "/v1")
    house.contents.provider(name, base, dialect=name, secret="sk-rotated")
    house.contents.model(call.body["model"], house.contents.deployment(name, "m"))
    house.publish()

    assert house.post(call).status_code == 200

    header = "x-api-key" if call.anthropic else "authorization"
    assert (provider.last.header(header) or "").endswith("sk-rotated")


def test_a_credential_that_can_not_be_opened_takes_only_its_own_deployment_out(house: House, provider: Provider, provider_url: str) -> None:
    contents = house.contents
    contents.sealer, right = Sealer(b"another key that nobody here has"), contents.sealer
    contents.provider("sealed", f"{provider_url}/v1")
    contents.sealer = right
    contents.model("gpt", contents.deployment("sealed", "m"), contents.deployment("openai", "gpt-real", priority=1))
    contents.model("claude", contents.deployment("sealed", "m"))
    house.publish()
    provider.then(said(CHAT.answer))

    assert house.post(CHAT).status_code == 200
    assert provider.last.json["model"] == "gpt-real"
    assert refusal(MESSAGES, house.post(MESSAGES)).status == 503


def test_what_a_dearer_fallback_would_cost_is_reserved_too(house: House, provider: Provider) -> None:
    contents = house.contents
    dear = PriceRecord(ref="price:dear", input="1000", output="5000")
    contents.model("dear", contents.deployment("openai", "dear", price=dear))
    contents.model("gpt", contents.deployment("openai", "gpt-real"), fallbacks=("dear",))
    contents.budget(f"team:{house.team}", 10**12)
    house.publish()
    provider.then(said({"error": {}}, status=503), said(CHAT.answer))

    assert house.post(CHAT, max_tokens=10).status_code == 200

    _, event = house.all_settled(2)
    reserves = {intent.reserve for intent in house.reading.intents.values()}
    assert event.cost is not None
    assert min(reserves) >= 10 * 5_000_000
