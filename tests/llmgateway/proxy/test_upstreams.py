"""Providers that fail, refuse, stall or lie, and the deployments that are tried in their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataplane.debug import read
from tests.fakes.dialects import CALLS, CHAT, MESSAGES, STREAMED, Call, refusal
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed, zipped
from tests.fakes.serving import refusing, unanswering

each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
each_stream = pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)


def move(house: House, call: Call, base_url: str, **timeouts: Any) -> None:
    """The call's model is served by a provider at another address."""
    dialect = "anthropic" if call.anthropic else "openai"
    house.contents.provider("moved", base_url + ("" if call.anthropic else "/v1"), dialect=dialect, **timeouts)
    house.contents.model(call.body["model"], house.contents.deployment("moved", "m"))
    house.publish()


@each_call
def test_a_provider_that_is_down_is_told_as_502_with_the_request_id(call: Call, house: House) -> None:
    with refusing() as nowhere:
        move(house, call, nowhere)
        told = refusal(call, house.post(call))
    assert told.status == 502
    event = house.settled()
    assert (event.outcome, event.cost, event.usage) == ("error", "0", {})


@each_call
def test_a_provider_that_does_not_accept_in_time_is_told_and_costs_nothing(call: Call, house: House) -> None:
    with unanswering() as nowhere:
        move(house, call, nowhere, connect_timeout=0.2)
        told = refusal(call, house.post(call))
    assert told.status in (502, 504)
    assert house.settled().cost == "0"


@each_call
def test_a_provider_that_does_not_answer_in_time_is_told_as_504_and_settled_as_an_estimate(
    call: Call, house: House, provider: Provider, provider_url: str
) -> None:
    move(house, call, provider_url, read_timeout=0.2)
    provider.then(Reply(gate_head=Gate()))

    told = refusal(call, house.post(call))

    assert told.status == 504
    provider.last.wait_gone()
    event = house.settled()
    assert (event.outcome, event.status, event.estimated) == ("error", 504, True)
    assert event.cost not in (None, "0"), "a provider that had the request may bill it"


def test_a_provider_that_stalls_inside_an_answer_is_told_as_504(house: House, provider: Provider, provider_url: str) -> None:
    move(house, CHAT, provider_url, read_timeout=0.2)
    provider.then(Reply(pieces=(b'{"id": "chatcmpl-1",',), end="hang"))
    assert refusal(CHAT, house.post(CHAT)).status == 504


@each_call
def test_an_answer_that_is_cut_is_told_as_502(call: Call, house: House, provider: Provider) -> None:
    provider.then(Reply(pieces=(json.dumps(call.answer).encode()[:-9],), end="cut", sized=True))
    assert refusal(call, house.post(call)).status == 502
    assert house.settled().estimated


@each_stream
def test_a_stream_without_one_event_is_told_as_502(call: Call, house: House, provider: Provider) -> None:
    provider.then(streamed())
    assert refusal(call, house.post(call, stream=True)).status == 502


@each_stream
@pytest.mark.parametrize("end", ["cut", "hang"])
def test_a_stream_that_breaks_ends_with_an_error_of_the_dialect(
    call: Call, end: Any, house: House, provider: Provider, provider_url: str
) -> None:
    move(house, call, provider_url, read_timeout=0.3)
    provider.then(streamed(*call.pieces[:4], end=end))

    answer = house.post(call, stream=True)

    assert answer.status_code == 200
    relayed = b"".join(call.pieces[:4]).replace(b', "usage": null', b"")
    assert answer.content.startswith(relayed)
    told = answer.content.removeprefix(relayed).decode()
    assert_in_band_error(call, told, answer.headers["x-request-id"])
    event = house.settled()
    assert (event.outcome, event.estimated) == ("error", True)
    assert event.usage["output"] >= 1
    assert event.cost not in (None, "0")


def assert_in_band_error(call: Call, told: str, request_id: str) -> None:
    """One event that the dialect's own clients take for a failure; no end mark that would make it look complete."""
    assert told.endswith("\n\n")
    assert "[DONE]" not in told
    fields = dict(line.split(": ", 1) for line in told.strip().split("\n"))
    data = json.loads(fields["data"])
    assert request_id in told
    if call.anthropic:
        assert fields["event"] == data["type"] == "error"
        assert data["error"]["type"] in ("api_error", "timeout_error", "overloaded_error")
    elif call.name == "responses":
        assert fields["event"] == data["type"] == "error"
        assert data["message"]
    else:
        assert {"message", "type", "param", "code"} <= set(data["error"])


@each_call
@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 429, 500, 503, 529])
def test_a_providers_error_is_relayed_as_it_is(call: Call, status: int, house: House, provider: Provider) -> None:
    error = {"error": {"message": "no\u2026", "type": "t", "unknown": [1.0]}}
    provider.then(said(error, status=status, headers=[("retry-after", "7")]))

    answer = house.post(call)

    assert (answer.status_code, answer.json()) == (status, error)
    assert answer.headers["retry-after"] == "7"
    assert len(provider.asked) == 1
    event = house.settled()
    assert (event.outcome, event.status, event.cost, event.usage) == ("error", status, "0", {})


@pytest.mark.parametrize("status", [401, 402])
@each_call
def test_a_provider_that_refuses_the_houses_own_account_does_not_look_like_the_callers_fault(
    call: Call, status: int, house: House, provider: Provider
) -> None:
    """A caller who reads 401 would throw the own key away, and 402 would send it to its own budget."""
    provider.then(said({"error": {"message": "bad key sk-openai"}}, status=status))

    answer = house.post(call)

    told = refusal(call, answer)
    assert told.status == 502
    assert "sk-openai" not in answer.text
    assert house.settled().status == status


def test_a_redirect_is_not_followed(house: House, provider: Provider, spare: tuple[Provider, str]) -> None:
    other, spare_url = spare
    provider.then(Reply(status=307, headers=(("location", f"{spare_url}/v1/chat/completions"),)))
    answer = house.post(CHAT)
    assert answer.status_code == 502
    assert "location" not in answer.headers
    assert other.asked == []


def test_a_compressed_answer_that_nobody_asked_for_is_inflated(house: House, provider: Provider) -> None:
    provider.then(zipped(json.dumps(CHAT.answer).encode()))
    answer = house.post(CHAT)
    assert provider.last.header("accept-encoding") in (None, "identity")
    assert answer.json() == CHAT.answer
    assert "content-encoding" not in answer.headers
    assert house.settled().usage["output"] == 6


def test_a_compressed_answer_that_is_cut_off_is_refused(house: House, provider: Provider) -> None:
    whole = zipped(json.dumps(CHAT.answer).encode())
    (piece,) = whole.pieces
    assert isinstance(piece, bytes)
    provider.then(Reply(headers=whole.headers, pieces=(piece[:-20],), sized=True))
    assert refusal(CHAT, house.post(CHAT)).status == 502


def test_an_answer_that_inflates_without_end_is_refused(house: House, provider: Provider) -> None:
    provider.then(zipped(b" " * (80 * 1024 * 1024), level=6))
    assert refusal(CHAT, house.post(CHAT)).status == 502


def test_a_private_address_is_refused_unless_the_provider_allows_it(house: House, provider: Provider, provider_url: str) -> None:
    house.contents.provider("inner", f"{provider_url}/v1", allow_private_network=False)
    house.contents.model("gpt", house.contents.deployment("inner", "m"))
    house.publish()
    told = refusal(CHAT, house.post(CHAT))
    assert told.status == 502
    assert "127.0.0.1" not in told.message
    assert provider.asked == []


def test_neither_side_sees_the_others_headers(house: House, provider: Provider) -> None:
    secret = {"cookie": "session=1", "x-forwarded-for": "10.0.0.1", "x-internal": "y", "user-agent": "me/1", "accept-encoding": "br"}
    leaky = (("set-cookie", "a=b"), ("server", "cloudy"), ("openai-organization", "acme"), ("x-request-id", "up-1"))
    provider.then(said(CHAT.answer, headers=leaky))

    answer = house.http.post(CHAT.path, json=CHAT.body, headers={**CHAT.headers(house.key), **secret})

    assert answer.status_code == 200
    received = {name for name, _ in provider.last.headers}
    assert not received & {"cookie", "x-forwarded-for", "x-internal", "x-api-key"}
    assert house.key not in str(provider.last.headers)
    assert not set(answer.headers) & {"set-cookie", "openai-organization"}
    assert answer.headers.get("server") != "cloudy"
    assert answer.headers["x-upstream-request-id"] == "up-1"
    assert len(answer.headers["x-request-id"]) == 36


def test_a_providers_own_headers_are_sent_with_every_call(house: House, provider: Provider, provider_url: str) -> None:
    house.contents.provider("titled", f"{provider_url}/v1", headers={"x-title": "the house"})
    house.contents.model("gpt", house.contents.deployment("titled", "m"))
    house.publish()
    provider.then(said(CHAT.answer))
    house.post(CHAT)
    assert provider.last.header("x-title") == "the house"


def test_unknown_fields_survive_in_both_directions(house: House, provider: Provider) -> None:
    strange: dict[str, Any] = {"x_new": {"deep": [1, 2.50, None, "\u00fc", True]}, "big": 12345678901234567890, "tiny": 1e-7}
    provider.then(said({**CHAT.answer, **strange}))
    answer = house.post(CHAT, **strange)
    assert provider.last.json == {**CHAT.body, "model": "gpt-real", **strange}
    assert {name: answer.json()[name] for name in strange} == strange


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_an_answer_that_is_no_json_is_a_502_of_the_callers_dialect_and_its_bytes_are_kept(
    call: Call, house: House, provider: Provider, tmp_path: Path
) -> None:
    house.kit.debug.directory = tmp_path / "debug"
    provider.then(Reply(headers=(("content-type", "text/plain"),), pieces=(b"<html>hello",), sized=True))
    answer = house.post(call)
    told = refusal(call, answer)
    assert told.status == 502
    assert "not valid JSON" in told.message
    assert "html" not in told.message
    assert house.settled().estimated, "it has answered, and may bill"
    request_id = answer.headers["x-request-id"]
    house.wait_until(lambda: read(tmp_path / "debug", request_id) is not None)
    head, raw = read(tmp_path / "debug", request_id) or ({}, b"")
    assert (head["request_id"], raw) == (request_id, b"<html>hello")


@pytest.mark.parametrize("usage", [None, {}, [], "many", {"prompt_tokens": "9"}, {"prompt_tokens": -5, "completion_tokens": 1}, 7])
def test_usage_of_a_wrong_shape_never_harms_the_call(usage: Any, house: House, provider: Provider) -> None:
    provider.then(said({**CHAT.answer, "usage": usage}))
    assert house.post(CHAT).status_code == 200
    event = house.settled()
    assert event.estimated
    assert all(count >= 0 for count in event.usage.values())


@pytest.mark.parametrize("call", [CHAT, *STREAMED[1:]], ids=lambda call: call.name)
def test_an_answer_that_does_not_say_what_was_used_is_estimated_by_its_size(call: Call, house: House, provider: Provider) -> None:
    silent = {name: value for name, value in call.answer.items() if name != "usage"}
    provider.then(said({**silent, "padding": "x" * 4000}))
    assert house.post(call).status_code == 200
    event = house.settled()
    assert event.estimated
    assert 1000 <= event.usage["output"] <= 1500


def test_messages_are_sent_with_a_version_even_when_the_caller_names_none(house: House, provider: Provider) -> None:
    provider.then(said(MESSAGES.answer))
    answer = house.http.post(MESSAGES.path, json=MESSAGES.body, headers={"x-api-key": house.key})
    assert answer.status_code == 200
    assert provider.last.header("anthropic-version") == "2023-06-01"


def test_two_callers_never_share_an_idempotency_key_at_the_provider(house: House, provider: Provider) -> None:
    """A provider answers a repeated key with what it answered first, and sees one account behind the house."""
    provider.fallback = said({"error": {"message": "Later."}}, status=429)
    other = house.contents.key("other", team=house.team)
    house.publish()
    for key in (house.key, house.key, other):
        house.http.post(CHAT.path, json=CHAT.body, headers={**CHAT.headers(key), "idempotency-key": "order-17"})
    first, again, foreign = (asked.header("idempotency-key") for asked in provider.asked)
    assert first is not None
    assert first == again != foreign
    assert "order-17" not in (first, foreign)
