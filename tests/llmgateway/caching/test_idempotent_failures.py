"""Calls with an Idempotency-Key that fail, and callers that leave: what is told again, and what is made again."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import pytest

from tests.fakes.dialects import CHAT, MESSAGES
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.fakes.serving import refusing
from tests.llmgateway.caching.asking import KEY, REPLAYED, send
from tests.llmgateway.caching.conftest import change_model, consent
from tests.llmgateway.dialects.bedrock_samples import BEGIN, delta, end, start, stop, stream

CONVERSED = stream(BEGIN, start(0), *(delta(0, text=word) for word in ("Hello ", "whoever ", "you are.")), stop(0), *end("end_turn"))


@pytest.fixture(autouse=True)
def _without_a_cache(house: House) -> None:
    consent(house, house.key, cache=False)
    house.publish()


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
