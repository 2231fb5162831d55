"""Idempotency-Key: a call that is sent again is made once, and is told again what it was told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from dataplane.idempotency import MOST_BODY
from tests.fakes.dialects import CALLS, CHAT, EMBEDDINGS, MESSAGES, STREAMED, Call, refusal
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.llmgateway.caching.asking import KEY, REPLAYED, send
from tests.llmgateway.caching.conftest import Clock, consent

DAY = 86_400


@pytest.fixture(autouse=True)
def _without_a_cache(house: House) -> None:
    consent(house, house.key, cache=False)
    house.publish()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_call_that_is_sent_again_is_made_once(house: House, provider: Provider, call: Call) -> None:
    provider.then(said(call.answer))
    first, again, third = send(house, call), send(house, call), send(house, call)
    assert first.status_code == 200
    assert REPLAYED not in first.headers
    for replay in (again, third):
        assert (replay.status_code, replay.content) == (200, first.content)
        assert (replay.headers[REPLAYED], replay.headers["x-customhouse-cost"]) == ("true", "0")
        assert replay.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(provider.asked) == 1
    made, *given = house.all_settled(3)
    assert [(event.outcome, event.usage, event.cost, event.saved, event.deployment) for event in given] == [
        ("ok", {}, "0", made.cost, "replay")
    ] * 2


@pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)
def test_a_finished_stream_is_told_again(house: House, provider: Provider, call: Call) -> None:
    provider.then(streamed(*call.pieces))
    first, again = send(house, call, stream=True), send(house, call, stream=True)
    assert again.content == first.content
    assert (again.headers[REPLAYED], again.headers["content-type"][:17]) == ("true", "text/event-stream")
    assert len(provider.asked) == 1


def test_geminis_calls_are_made_once_as_well(house: House, provider: Provider, provider_url: str) -> None:
    house.contents.provider("google", f"{provider_url}/v1beta", dialect="gemini")
    house.contents.grant(f"team:{house.team}", house.contents.model("gem", house.contents.deployment("google", "gem-real")))
    house.publish()
    provider.fallback = said({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]})
    headers = {"x-goog-api-key": house.key, "idempotency-key": KEY}
    body = {"contents": [{"parts": [{"text": "Hello"}]}]}
    first, again = (house.http.post("/v1beta/models/gem:generateContent", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.content, again.headers[REPLAYED]) == (200, first.content, "true")
    assert len(provider.asked) == 1


def test_a_replay_needs_no_budget_and_counts_as_a_request(house: House, provider: Provider) -> None:
    key = house.limited_key(rpm=2)
    number = house.contents.keys[key].id
    house.contents.budget(f"key:{number}", 1_000_000)
    house.publish()
    provider.fallback = said({**CHAT.answer, "usage": {"prompt_tokens": 0, "completion_tokens": 10**6, "total_tokens": 10**6}})
    assert send(house, key=key, max_tokens=10).status_code == 200
    assert send(house, key=key, max_tokens=10).status_code == 200
    assert send(house, key=key, max_tokens=10).status_code == 429
    assert len(provider.asked) == 1


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
@pytest.mark.parametrize("once", ["", "x" * 256, "caf\u00e9", "a\tb"])
def test_a_key_that_is_none_is_refused(house: House, provider: Provider, call: Call, once: str) -> None:
    headers = {**call.headers(house.key), "idempotency-key": once.encode("latin-1")}
    answer = house.http.post(call.path, json=call.body, headers=headers)
    told = refusal(call, answer)
    assert told.status == 400
    assert told.code in (None, "invalid_idempotency_key")
    assert provider.asked == []


def test_the_longest_key_is_taken(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    assert send(house, once="~" * 255).status_code == 200
    assert send(house, once="~" * 255).headers[REPLAYED] == "true"


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_key_stands_for_one_request(house: House, provider: Provider, call: Call) -> None:
    provider.fallback = said(call.answer)
    send(house, call)
    for other in (send(house, call, user="somebody"), send(house, call, path=f"{call.path}?v=2")):
        told = refusal(call, other)
        assert told.status == 422
        assert told.code in (None, "idempotency_key_reused")
        assert b"idempotency_key_reused" in other.content
    other_call = EMBEDDINGS if call is not EMBEDDINGS else CHAT
    assert send(house, other_call).status_code == 422
    assert len(provider.asked) == 1
    assert send(house, call).headers[REPLAYED] == "true"


def test_a_call_that_is_still_being_made_is_not_made_again(house: House, provider: Provider) -> None:
    gate = Gate()
    provider.then(Reply(pieces=(msgspec.json.encode(CHAT.answer),), gate_head=gate))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(send, house)
        provider.wait_asked()
        early, other = send(house), send(house, user="somebody")
        assert refusal(CHAT, early).code == "idempotency_in_progress"
        assert (early.status_code, early.headers["retry-after"], other.status_code) == (409, "1", 422)
        gate.open()
        first = slow.result()
    again = send(house)
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    assert len(provider.asked) == 1


def test_keys_are_their_principals_own(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    owner = int(house.contents.keys[house.key].principal.ref.partition(":")[2])
    second = house.contents.key("second", team=house.team, owner=owner)
    stranger = house.contents.key("stranger", team=house.team)
    house.publish()
    send(house)
    assert send(house, key=second).headers[REPLAYED] == "true"
    assert REPLAYED not in send(house, key=stranger).headers
    assert len(provider.asked) == 2


def test_what_was_withdrawn_is_not_told_again(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    send(house)
    house.contents.grants.clear()
    house.publish()
    assert send(house).status_code == 404


# -- how long, and how much


def test_a_key_is_free_again_after_a_day(house: House, provider: Provider, clock: Clock) -> None:
    provider.fallback = said(CHAT.answer)
    send(house)
    clock.now += DAY - 1
    assert send(house).headers[REPLAYED] == "true"
    clock.now += 1
    assert send(house, user="somebody").status_code == 200
    assert len(provider.asked) == 2


def test_of_an_answer_that_is_too_large_it_is_known_that_it_was_given(house: House, provider: Provider) -> None:
    provider.fallback = said({**CHAT.answer, "padding": "x" * MOST_BODY})
    assert send(house).status_code == 200
    told = refusal(CHAT, send(house))
    assert (told.status, told.code) == (409, "idempotency_answer_not_kept")
    assert house.kit.claims.bytes < 1000
    assert len(provider.asked) == 1


def test_a_call_from_the_cache_is_the_answer_of_its_key(house: House, provider: Provider, clock: Clock) -> None:
    consent(house, house.key)
    house.publish()
    provider.then(said(CHAT.answer))
    first = send(house, once="one")
    cached, again = send(house, once="two"), send(house, once="two")
    assert (cached.headers["x-customhouse-cache"], cached.content) == ("hit", first.content)
    assert (again.headers[REPLAYED], again.content) == ("true", first.content)
    clock.now += 3600
    assert send(house, once="two").headers[REPLAYED] == "true"
    assert len(provider.asked) == 1


def test_calls_without_a_key_leave_no_trace(house: House, provider: Provider, tmp_path: Path) -> None:
    provider.fallback = said(MESSAGES.answer)
    assert REPLAYED not in house.post(MESSAGES).headers
    assert (len(house.kit.claims), house.kit.claims.bytes) == (0, 0)
