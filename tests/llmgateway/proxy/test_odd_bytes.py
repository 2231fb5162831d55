"""Bytes that no honest client or provider sends, in places where a parser might stumble over them."""

from __future__ import annotations

import json

import pytest

from tests.fakes.dialects import CALLS, CHAT, MESSAGES, Call, refusal
from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, said, streamed
from tests.fakes.wire import connected


def test_a_header_that_can_not_be_sent_on_is_the_callers_fault_and_costs_nothing(house: House, provider: Provider) -> None:
    body = json.dumps(CHAT.body).encode()
    host = house.url.removeprefix("http://")
    head = f"POST {CHAT.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {house.key}\r\nUser-Agent: a\x01b\r\n"
    with connected(house.url) as caller:
        caller.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = b""
        while b"bad_header" not in answer and (part := caller.recv(65536)):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert house.settled().cost == "0"
    assert provider.asked == []


def test_a_header_of_the_provider_that_is_not_ascii_does_not_lose_the_answer(house: House, provider: Provider) -> None:
    odd = (("content-type", "application/json"), ("openai-place", "caf\xe9"), ("openai-version", "2020-10-01"))
    provider.then(Reply(headers=odd, pieces=said(CHAT.answer).pieces, sized=True))
    answer = house.post(CHAT)
    assert (answer.status_code, answer.json()) == (200, CHAT.answer)
    assert answer.headers["openai-version"] == "2020-10-01"


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_an_answer_nested_deeper_than_can_be_read_is_relayed_and_settled_as_an_estimate(
    call: Call, house: House, provider: Provider
) -> None:
    deep = b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}"
    provider.then(Reply(pieces=(deep,), sized=True))
    assert house.post(call).content == deep
    assert house.settled().estimated


def test_an_event_that_is_not_utf8_is_relayed(house: House, provider: Provider) -> None:
    odd = b'event: x\ndata: {"type":"\xff\xfe","usage":{}}\n\n'
    provider.then(streamed(odd, *MESSAGES.pieces))
    assert house.post(MESSAGES, stream=True).content == odd + b"".join(MESSAGES.pieces)
    assert house.settled().outcome == "ok"


@pytest.mark.parametrize("name", ["Model", "MODEL", "\u017ftream", "Stream_Options", "Max_Tokens", "N"])
def test_a_field_that_is_one_of_the_gateways_but_for_its_case_is_refused(name: str, house: House, provider: Provider) -> None:
    """Go's parser ignores case and takes the last: the provider would serve another model than was granted and priced."""
    told = refusal(CHAT, house.post(CHAT, **{name: "gpt-dear"}))
    assert (told.status, told.code, told.param) == (400, "ambiguous_field", name)
    assert provider.asked == []
