"""Idempotency-Key: a call that is sent again is made once, and is told again what it was told."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from dataplane.idempotency import MOST_BODY
from tests.fakes.dialects import CALLS, CHAT, EMBEDDINGS, MESSAGES, STREAMED, Call, refusal
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.fakes.serving import refusing
from tests.llmgateway.caching.conftest import Clock, change_model, consent
from tests.llmgateway.dialects.bedrock_samples import BEGIN, delta, end, start, stop, stream

KEY = "order-17"
REPLAYED = "idempotent-replayed"
DAY = 86_400
CONVERSED = stream(BEGIN, start(0), *(delta(0, text=word) for word in ("Hello ", "whoever ", "you are.")), stop(0), *end("end_turn"))


@pytest.fixture(autouse=True)
def _without_a_cache(house: House) -> None:
    consent(house, house.key, cache=False)
    house.publish()


def send(house: House, call: Call = CHAT, once: str = KEY, *, key: str | None = None, path: str = "", **changes: Any) -> httpx.Response:
    headers = {**call.headers(key or house.key), "idempotency-key": once}
    return house.http.post(path or call.path, json={**call.body, **changes}, headers=headers)


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


# -- calls that fail


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 500, 502, 504])
def test_what_a_provider_has_decided_is_told_again(house: House, provider: Provider, status: int) -> None:
    provider.then(said({"error": {"message": "No."}}, status=status))
    change_model(house, "gpt", fallbacks=())
    first, again = send(house), send(house)
    assert first.status_code == status
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (status, first.content, "true")
    assert len(provider.asked) == 1
    _, given = house.all_settled(2)
    assert (given.outcome, given.status, given.cost, given.saved) == ("error", status, "0", None)


@pytest.mark.parametrize("status", [401, 402, 408, 429, 503, 529])
def test_what_a_provider_did_not_begin_is_made_by_the_next_one(house: House, provider: Provider, status: int) -> None:
    provider.then(said({"error": {"message": "Later."}}, status=status), said(CHAT.answer))
    assert send(house).status_code >= 400
    answer = send(house)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)
    assert len(provider.asked) == 2


def test_a_provider_that_was_never_reached_has_done_nothing(house: House, provider: Provider, provider_url: str) -> None:
    with refusing() as nobody:
        place = house.contents.providers["openai"]
        house.contents.providers["openai"] = msgspec.structs.replace(place, base_url=f"{nobody}/v1")
        house.publish()
        assert send(house).status_code == 502
    house.contents.providers["openai"] = place
    house.publish()
    provider.then(said(CHAT.answer))
    assert send(house).status_code == 200


@pytest.mark.parametrize("reply", [Reply(end="cut", sized=True), Reply(pieces=(b"{broken",))], ids=["cut", "garbled"])
def test_where_a_provider_may_have_worked_the_failure_stays(house: House, provider: Provider, reply: Reply) -> None:
    provider.then(reply)
    first, again = send(house), send(house)
    assert first.status_code == 502
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (502, first.content, "true")
    assert len(provider.asked) == 1


def test_what_the_house_refuses_before_it_begins_is_asked_anew(house: House, provider: Provider) -> None:
    house.contents.budget(f"team:{house.team}", 1_000)
    house.publish()
    provider.fallback = said(CHAT.answer)
    assert send(house, once="another").status_code == 200
    assert send(house).status_code == 402
    assert send(house, model="unknown").status_code == 404
    house.contents.budgets.clear()
    house.publish()
    answer = send(house)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


def test_a_stream_that_broke_is_made_again(house: House, provider: Provider) -> None:
    provider.then(streamed(*CHAT.pieces[:3], end="cut"), streamed(*CHAT.pieces))
    assert b"upstream" in send(house, stream=True).content
    second = send(house, stream=True)
    assert second.content.endswith(b"[DONE]\n\n")
    assert REPLAYED not in second.headers
    assert send(house, stream=True).content == second.content


# -- callers that leave


def test_who_leaves_before_the_answer_gets_it_when_they_ask_again(house: House, provider: Provider) -> None:
    """What is answered in one piece is billed in full: it is read, and not paid for twice."""
    gate = Gate()
    provider.then(Reply(pieces=(msgspec.json.encode(CHAT.answer),), gate_head=gate))
    leave_while_waiting(house, provider)
    assert send(house).status_code == 409
    gate.open()
    made = house.settled()
    again = send(house)
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (200, CHAT.answer, "true")
    assert (house.settled().saved, made.cost) == (made.cost, made.cost)
    assert len(provider.asked) == 1


def leave_while_waiting(house: House, provider: Provider) -> None:
    seen = len(provider.asked)
    with house.client() as impatient, ThreadPoolExecutor(1) as pool:
        headers = {**CHAT.headers(house.key), "idempotency-key": KEY}
        waiting = pool.submit(impatient.post, CHAT.path, json=CHAT.body, headers=headers, timeout=httpx.Timeout(10, read=0.4))
        provider.wait_asked(seen + 1)
        with contextlib.suppress(httpx.ReadTimeout):
            waiting.result()
    running = next(iter(house.kit.active))
    house.wait_until(lambda: bool(getattr(running, "gone", False)))


def test_who_leaves_in_the_middle_of_a_stream_stops_it_and_begins_anew(house: House, provider: Provider) -> None:
    gate = Gate()
    provider.then(streamed(*CHAT.pieces[:2], gate, *CHAT.pieces[2:]), streamed(*CHAT.pieces))
    with house.client() as impatient:
        headers = {**CHAT.headers(house.key), "idempotency-key": KEY}
        with impatient.stream("POST", CHAT.path, json={**CHAT.body, "stream": True}, headers=headers) as answer:
            assert next(answer.iter_bytes())
            assert send(house, stream=True).status_code == 409
    provider.wait_asked().wait_gone()
    assert house.settled().outcome == "aborted"
    house.wait_until(lambda: not house.kit.active)
    second = send(house, stream=True)
    assert second.content.endswith(b"[DONE]\n\n")
    assert REPLAYED not in second.headers


def test_a_stream_that_is_billed_on_is_read_on_and_told_to_who_comes_back(house: House, provider: Provider, provider_url: str) -> None:
    house.contents.provider("aws", provider_url, dialect="bedrock")
    house.contents.grant(f"team:{house.team}", house.contents.model("nova", house.contents.deployment("aws", "amazon.nova-lite-v1:0")))
    house.publish()
    half, gate = len(CONVERSED) // 2, Gate()
    kind = (("content-type", "application/vnd.amazon.eventstream"),)
    provider.then(Reply(headers=kind, pieces=(CONVERSED[:half], gate, CONVERSED[half:])))
    with house.client() as impatient:
        headers = {**CHAT.headers(house.key), "idempotency-key": KEY}
        with impatient.stream("POST", CHAT.path, json={**CHAT.body, "model": "nova", "stream": True}, headers=headers) as answer:
            next(answer.iter_raw())
            gate.wait_reached()
    house.wait_until(lambda: all(bool(getattr(exchange, "gone", False)) for exchange in house.kit.active))
    gate.open()
    assert house.settled().outcome == "aborted"
    again = send(house, model="nova", stream=True)
    assert again.headers[REPLAYED] == "true"
    assert b"whoever " in again.content
    assert again.content.endswith(b"data: [DONE]\n\n")
    assert len(provider.asked) == 1


def test_what_was_left_out_of_a_translation_is_told_again(house: House, provider: Provider) -> None:
    provider.then(said(MESSAGES.answer))
    body = {"model": "claude", "messages": CHAT.body["messages"], "logit_bias": {"1": 2}}
    headers = {**CHAT.headers(house.key), "idempotency-key": KEY, "x-customhouse-lossy": "allow"}
    first, again = (house.http.post(CHAT.path, json=body, headers=headers) for _ in range(2))
    assert first.status_code == 200
    assert again.headers[REPLAYED] == "true"
    assert "logit_bias" in first.headers["x-customhouse-dropped"]
    assert again.headers["x-customhouse-dropped"] == first.headers["x-customhouse-dropped"]


def test_a_call_that_the_house_has_cut_is_free_again(house: House, provider: Provider) -> None:
    """Its key is taken away in the middle of it; another key of the same person may make it."""
    owner = int(house.contents.keys[house.key].principal.ref.partition(":")[2])
    second = house.contents.key("second", team=house.team, owner=owner)
    house.publish()
    gate = Gate()
    provider.then(Reply(gate_head=gate), said(CHAT.answer))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(send, house)
        provider.wait_asked()
        house.contents.revoke(house.key)
        house.publish()
        assert slow.result().status_code == 401
    house.wait_until(lambda: not house.kit.active)
    answer = send(house, key=second)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


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
