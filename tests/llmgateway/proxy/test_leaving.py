"""Callers that leave, keys that are revoked mid-stream, callers that read slowly, and how those calls are settled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dataplane.money import Rates
from tests.fakes.contents import PRICE
from tests.fakes.dialects import CALLS, CHAT, STREAMED, Call
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, events, said, streamed
from tests.fakes.wire import connected, posting

each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
each_stream = pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)


@each_stream
def test_a_caller_who_leaves_mid_stream_stops_the_provider_and_pays_for_what_was_read(call: Call, house: House, provider: Provider) -> None:
    gate = Gate()
    provider.then(streamed(*call.pieces[:4], gate, *call.pieces[4:]))

    with house.client() as client:
        body = {**call.body, "stream": True}
        with client.stream("POST", call.path, json=body, headers=call.headers(house.key)) as answer:
            received = b""
            pieces = answer.iter_raw()
            while b"".join(call.pieces[3:4]).split(b'"usage"')[0].rstrip(b", ") not in received:
                received += next(pieces)
            gate.wait_reached()

    provider.last.wait_gone()
    event = house.settled()
    assert (event.outcome, event.status, event.estimated) == ("aborted", 200, True)
    assert event.usage["output"] >= 1
    assert event.cost == str(Rates(PRICE).cost(event.usage).normalize())
    assert house.journaled() == []


def leave_before_the_head(house: House, call: Call, gate: Gate, body: dict[str, Any]) -> None:
    """The request is with the provider, its caller goes, and the gateway has noticed that before the provider answers."""
    with connected(house.url) as caller:
        caller.sendall(posting(house.url, call.path, body, call.headers(house.key)))
        gate.wait_reached()
    house.wait_until(lambda: all(exchange.gone for exchange in house.kit.active))
    gate.open()


@each_call
def test_a_caller_who_leaves_before_the_answer_pays_for_what_the_provider_did(call: Call, house: House, provider: Provider) -> None:
    gate = Gate()
    answer = said(call.answer)
    provider.then(Reply(gate_head=gate, pieces=answer.pieces, sized=True))

    leave_before_the_head(house, call, gate, call.body)

    event = house.settled()
    assert (event.outcome, event.estimated) == ("aborted", False)
    assert event.usage["input"] + event.usage["cached_read"] == (8 if call.name == "embeddings" else 20)


@each_stream
def test_a_caller_who_leaves_before_the_first_byte_stops_the_stream_at_its_head(call: Call, house: House, provider: Provider) -> None:
    gate = Gate()
    endless = Reply(headers=streamed().headers, pieces=(call.pieces[0], Gate()), gate_head=gate)
    provider.then(endless)

    leave_before_the_head(house, call, gate, {**call.body, "stream": True})

    provider.last.wait_gone()
    event = house.settled()
    assert (event.outcome, event.estimated) == ("aborted", True)


def test_no_other_deployment_is_asked_for_a_caller_who_has_left(house: House, provider: Provider) -> None:
    gate = Gate()
    contents = house.contents
    contents.model("gpt", contents.deployment("openai", "first"), contents.deployment("openai", "second", priority=1))
    house.publish()
    provider.then(Reply(status=503, gate_head=gate))

    leave_before_the_head(house, CHAT, gate, CHAT.body)

    assert house.settled().cost == "0"
    house.wait_until(lambda: not house.kit.active)
    assert len(provider.asked) == 1


@each_stream
def test_a_key_that_is_revoked_cuts_its_running_streams(call: Call, house: House, provider: Provider) -> None:
    gate = Gate()
    provider.then(streamed(*call.pieces[:3], gate))
    with (
        house.client() as client,
        client.stream("POST", call.path, json={**call.body, "stream": True}, headers=call.headers(house.key)) as answer,
    ):
        gate.wait_reached()
        house.contents.revoke(house.key)
        house.publish()
        received = answer.read()

    assert b"error" in received
    assert b"[DONE]" not in received
    provider.last.wait_gone()
    assert house.settled().outcome == "aborted"


def test_a_revocation_cuts_a_stream_in_full_flow(house: House, provider: Provider) -> None:
    """The cut falls anywhere between two pieces; none of them may swallow it."""
    for round_ in range(25):
        key = house.contents.key(f"leaver-{round_}", team=house.team)
        house.publish()
        provider.then(streamed(*[CHAT.pieces[1]] * 400, end="hang"))
        with (
            house.client() as client,
            client.stream("POST", CHAT.path, json={**CHAT.body, "stream": True}, headers=CHAT.headers(key)) as answer,
        ):
            next(pieces := answer.iter_raw())
            house.contents.revoke(key)
            house.publish()
            assert b"".join(pieces).endswith(b"}}\n\n")
        assert house.settled().outcome == "aborted"


def test_a_grant_that_is_withdrawn_cuts_its_running_streams(house: House, provider: Provider) -> None:
    gate = Gate()
    provider.then(streamed(*CHAT.pieces[:3], gate))
    with (
        house.client() as client,
        client.stream("POST", CHAT.path, json={**CHAT.body, "stream": True}, headers=CHAT.headers(house.key)) as answer,
    ):
        gate.wait_reached()
        house.contents.grants.clear()
        house.publish()
        assert b"error" in answer.read()
    provider.last.wait_gone()
    assert house.settled().outcome == "aborted"


def test_another_keys_revocation_leaves_a_running_stream_alone(house: House, provider: Provider) -> None:
    gate = Gate()
    other = house.contents.key("other", team=house.team)
    house.publish()
    provider.then(streamed(*CHAT.pieces[:3], gate, *CHAT.pieces[3:]))
    body = {**CHAT.body, "stream": True, "stream_options": {"include_usage": True}}
    with house.client() as client, client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(house.key)) as answer:
        gate.wait_reached()
        house.contents.revoke(other)
        house.publish()
        gate.open()
        assert answer.read() == b"".join(CHAT.pieces)
    assert house.settled().outcome == "ok"


def test_a_first_piece_is_relayed_before_the_second_exists(house: House, provider: Provider) -> None:
    gate = Gate()
    provider.then(streamed(CHAT.pieces[0], gate, *CHAT.pieces[1:]))
    body = {**CHAT.body, "stream": True, "stream_options": {"include_usage": True}}
    with house.client() as client, client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(house.key)) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        gate.wait_reached()
        gate.open()
        assert first == CHAT.pieces[0]
        assert first + b"".join(pieces) == b"".join(CHAT.pieces)
    event = house.settled()
    assert event.ttft_ms is not None
    assert event.ttft_ms <= event.latency_ms


def test_a_caller_who_does_not_read_holds_the_provider_back(house: House, provider: Provider) -> None:
    """32 MB wait behind a caller that reads nothing: the gateway must stop reading instead of taking them in."""
    piece = events({"id": "c", "choices": [{"index": 0, "delta": {"content": "x" * 65_000}}]}, done=False)
    before_end = Gate()
    provider.then(streamed(*[piece] * 500, before_end, *CHAT.pieces[-2:]))
    body = {**CHAT.body, "stream": True, "stream_options": {"include_usage": True}}
    with house.client() as client, client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(house.key)) as answer:
        pieces = answer.iter_raw()
        size = len(next(pieces))
        assert not before_end.reached.wait(0.5), "the provider could send everything though nobody read it"
        before_end.open()
        size += sum(len(piece) for piece in pieces)
    assert size == len(piece) * 500 + len(b"".join(CHAT.pieces[-2:]))
    assert house.settled().usage["output"] == 6


def test_calls_of_one_house_do_not_mix(house: House, provider: Provider) -> None:
    """Two streams run at once and out of step; each caller gets its own bytes and its own bill."""
    first, second = Gate(), Gate()
    opening, closing = {"id": "other", "choices": []}, {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    provider.then(
        streamed(CHAT.pieces[0], first, *CHAT.pieces[1:]),
        streamed(events(opening, done=False), second, events(closing)),
    )
    body: dict[str, Any] = {**CHAT.body, "stream": True, "stream_options": {"include_usage": True}}
    with house.client() as client, client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(house.key)) as one:
        first.wait_reached()
        with client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(house.key)) as two:
            second.wait_reached()
            second.open()
            later = two.read()
        first.open()
        earlier = one.read()
    assert earlier == b"".join(CHAT.pieces)
    assert b"chatcmpl-1" not in later
    assert [event.usage["output"] for event in house.all_settled(2)] == [1, 6]


def test_a_call_is_written_down_before_it_leaves(house: House, provider: Provider) -> None:
    gate = Gate()
    house.contents.budget(f"team:{house.team}", 10**12)
    house.publish()
    provider.then(Reply(gate_head=gate, pieces=said(CHAT.answer).pieces))
    with ThreadPoolExecutor(1) as elsewhere:
        pending = elsewhere.submit(house.http.post, CHAT.path, json=CHAT.body, headers=CHAT.headers(house.key))
        gate.wait_reached()
        intents = house.reading.open_intents()
        gate.open()
        answer = pending.result()
    assert [intent.request_id for intent in intents] == [answer.headers["x-request-id"]]
    assert (intents[0].model, intents[0].provider, intents[0].deployment) == ("gpt", "openai", "gpt-real")
    assert intents[0].reserve > 0
    assert house.settled().id == intents[0].id
