"""What is taken away from a caller is taken from the calls that it has under way, whatever they wait for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from tests.fakes.dialects import CHAT, refusal
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.fakes.wire import connected


@contextmanager
def streaming(house: House, provider: Provider) -> Iterator[None]:
    """A stream that would go on for ever; when this ends the house has cut it."""
    provider.then(streamed(CHAT.pieces[0], Gate()))
    body = {**CHAT.body, "stream": True}
    with house.client() as client, client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(house.key)) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        yield
        rest = b"".join(pieces)
    assert b"The house ended this stream" in rest
    assert house.settled().outcome == "aborted"


def test_a_stream_ends_when_its_model_is_not_served_any_more(house: House, provider: Provider) -> None:
    with streaming(house, provider):
        del house.contents.models["gpt"]
        house.publish()


def test_a_stream_ends_when_its_owner_moves_to_a_team_without_the_grant(house: House, provider: Provider) -> None:
    with streaming(house, provider):
        record = house.contents.keys[house.key]
        moved = replace(record.principal, team=house.contents.team("elsewhere"))
        house.contents.keys[house.key] = replace(record, principal=moved)
        house.publish()


def test_a_stream_ends_with_its_key_even_when_budgets_come_that_this_version_does_not_know(house: House, provider: Provider) -> None:
    with streaming(house, provider):
        house.contents.budget(f"team:{house.team}", 1, period="quarter")
        house.contents.revoke(house.key)
        house.publish()


def test_a_key_revoked_while_the_body_comes_in_calls_nobody(house: House, provider: Provider) -> None:
    body = json.dumps(CHAT.body).encode()
    host = house.url.removeprefix("http://")
    head = f"POST {CHAT.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {house.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with connected(house.url) as caller:
        caller.sendall(head.encode() + body[:10])
        house.wait_until(lambda: house.requests == 1)
        house.contents.revoke(house.key)
        house.publish()
        caller.sendall(body[10:])
        assert caller.recv(65536).startswith(b"HTTP/1.1 401 ")
    assert provider.asked == []
    assert house.journaled() == []


def test_what_a_call_held_is_free_again_when_its_grant_went_while_its_body_came_in(house: House, provider: Provider) -> None:
    key = house.limited_key(concurrency=1)
    body = json.dumps(CHAT.body).encode()
    host = house.url.removeprefix("http://")
    head = f"POST {CHAT.path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    grants = house.contents.grants[f"team:{house.team}"]
    with connected(house.url) as caller:
        caller.sendall(head.encode() + body[:10])
        house.wait_until(lambda: house.requests == 1)
        grants.remove("model:gpt")
        house.publish()
        grants.append("model:gpt")
        caller.sendall(body[10:])
        assert b" 404 " in caller.recv(65536)[:20]
    house.publish()
    provider.then(said(CHAT.answer))
    assert house.post(CHAT, key=key).status_code == 200


@pytest.mark.parametrize("taken", ["key", "grant"])
def test_a_call_that_waits_for_its_answer_is_told_what_was_taken_away(taken: str, house: House, provider: Provider) -> None:
    provider.then(Reply(gate_head=Gate(), pieces=said(CHAT.answer).pieces))
    with ThreadPoolExecutor(1) as elsewhere:
        running = elsewhere.submit(house.post, CHAT)
        provider.wait_asked()
        if taken == "key":
            house.contents.revoke(house.key)
        else:
            house.contents.grants[f"team:{house.team}"].remove("model:gpt")
        house.publish()
        told = refusal(CHAT, running.result())
    assert (told.status, told.code) == ((401, "invalid_api_key") if taken == "key" else (404, "access_withdrawn"))


def test_a_call_that_outlasts_the_shutdown_is_not_told_that_its_key_is_wrong(house: House, provider: Provider) -> None:
    provider.then(Reply(gate_head=Gate(), pieces=said(CHAT.answer).pieces))
    with ThreadPoolExecutor(1) as elsewhere:
        running = elsewhere.submit(house.post, CHAT)
        provider.wait_asked()
        assert house.kit._loop is not None
        asyncio.run_coroutine_threadsafe(house.kit.close(patience=0.01), house.kit._loop).result(10)
        assert refusal(CHAT, running.result()).status == 503
    assert house.settled().outcome == "aborted"
