"""Two workers on one Redis: a call that is sent to both is made by one of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import redis

from dataplane.idempotency import Claims
from dataplane.idempotency_redis import LEASE_SECONDS, MOST_BODY, RedisClaims
from dataplane.sealing import Sealer
from tests.fakes.contents import SEAL_KEY
from tests.fakes.dialects import CHAT, refusal
from tests.fakes.house import House, standard
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.fakes.serving import unanswering

REPLAYED = "idempotent-replayed"
DAY = 86_400


@pytest.fixture
def workers(tmp_path: Path, provider: Provider, provider_url: str, redis_url: str) -> Iterator[tuple[House, House]]:
    def opened(name: str) -> House:
        return House(tmp_path / name, claims=Claims(RedisClaims(redis_url, sealer=Sealer(SEAL_KEY))))

    with opened("one") as one, opened("other") as other:
        for house in (one, other):
            standard(house.contents, house.team, provider_url)
            house.publish()
        yield one, other


def send(house: House, once: str = "order-17", **changes: Any) -> httpx.Response:
    headers = {**CHAT.headers(house.key), "idempotency-key": once}
    return house.http.post(CHAT.path, json={**CHAT.body, **changes}, headers=headers)


def written(house: House) -> None:
    shelf = house.kit.claims.shelf
    assert isinstance(shelf, RedisClaims)
    house.wait_until(lambda: shelf.told)


@pytest.mark.parametrize("stream", [False, True])
def test_what_one_worker_made_the_other_tells_again(workers: tuple[House, House], provider: Provider, stream: bool) -> None:
    one, other = workers
    provider.then(streamed(*CHAT.pieces) if stream else said(CHAT.answer))
    first = send(one, stream=stream)
    written(one)
    again = send(other, stream=stream)
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (200, first.content, "true")
    assert send(other, user="somebody").status_code == 422
    assert len(provider.asked) == 1
    assert other.settled().saved == one.settled().cost


def test_redis_never_sees_an_answer_and_what_cannot_be_opened_is_not_made_again(
    workers: tuple[House, House], provider: Provider, redis_url: str
) -> None:
    one, other = workers
    provider.fallback = said({**CHAT.answer, "id": "chatcmpl-canary"})
    for once in ("a", "b"):
        send(one, once)
    written(one)
    with redis.Redis.from_url(redis_url) as client:
        first, second = client.keys("ch:once:*")  # type: ignore[misc]
        values = [client.get(first), client.get(second)]
        assert all(b"canary" not in value and b"Y2FuYX" not in value for value in values)  # type: ignore[operator]
        client.set(first, values[1])  # type: ignore[arg-type]  # another call's answer in its place
        client.set(second, values[0])  # type: ignore[arg-type]
    for once in ("a", "b"):
        assert refusal(CHAT, send(other, once)).code == "idempotency_answer_not_kept"
    assert len(provider.asked) == 2


def test_while_one_worker_makes_it_the_other_does_not(workers: tuple[House, House], provider: Provider, redis_url: str) -> None:
    one, other = workers
    gate = Gate()
    provider.then(Reply(pieces=(msgspec.json.encode(CHAT.answer),), gate_head=gate))
    with ThreadPoolExecutor(1) as pool, redis.Redis.from_url(redis_url) as client:
        slow = pool.submit(send, one)
        provider.wait_asked()
        early = send(other)
        assert refusal(CHAT, early).code == "idempotency_in_progress"
        assert early.headers["retry-after"] == "1"
        assert send(other, user="somebody").status_code == 422
        (name,) = client.keys("ch:once:*")  # type: ignore[misc]
        assert 0 < client.ttl(name) <= LEASE_SECONDS  # type: ignore[operator]
        gate.open()
        assert slow.result().status_code == 200
        written(one)
        assert LEASE_SECONDS < client.ttl(name) <= DAY  # type: ignore[operator]
    assert len(provider.asked) == 1


def test_what_one_did_not_begin_the_other_makes(workers: tuple[House, House], provider: Provider) -> None:
    one, other = workers
    provider.then(said({"error": {"message": "Later."}}, status=429), said(CHAT.answer))
    assert send(one).status_code == 429
    written(one)
    answer = send(other)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)
    written(other)
    assert send(one).headers[REPLAYED] == "true"


def test_of_a_large_answer_the_other_knows_that_it_was_given(workers: tuple[House, House], provider: Provider) -> None:
    one, other = workers
    provider.fallback = said({**CHAT.answer, "padding": "x" * MOST_BODY})
    first = send(one)
    written(one)
    assert refusal(CHAT, send(other)).code == "idempotency_answer_not_kept"
    assert send(one).content == first.content
    assert len(provider.asked) == 1


def test_a_worker_that_died_leaves_its_claim_to_run_out(workers: tuple[House, House], provider: Provider, redis_url: str) -> None:
    one, other = workers
    gate = Gate()
    provider.then(Reply(pieces=(msgspec.json.encode(CHAT.answer),), gate_head=gate), said(CHAT.answer))
    with ThreadPoolExecutor(1) as pool, redis.Redis.from_url(redis_url) as client:
        slow = pool.submit(send, one)
        provider.wait_asked()
        (name,) = client.keys("ch:once:*")  # type: ignore[misc]
        client.delete(name)  # as its end of life does
        assert send(other).status_code == 200
        written(other)
        made_by_other = client.get(name)
        gate.open()
        assert slow.result().status_code == 200
        written(one)
        assert client.get(name) == made_by_other, "who has lost a claim does not take it back"


def test_what_cannot_be_read_is_nobodys_answer(workers: tuple[House, House], provider: Provider, redis_url: str) -> None:
    one, other = workers
    provider.fallback = said(CHAT.answer)
    send(one)
    written(one)
    with redis.Redis.from_url(redis_url) as client:
        (name,) = client.keys("ch:once:*")  # type: ignore[misc]
        client.set(name, b"\xc1 of a newer house")
    answer = send(other)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


def test_without_redis_each_worker_knows_its_own(tmp_path: Path, provider: Provider, provider_url: str) -> None:
    """Nobody waits for long: the call is made."""
    provider.fallback = said(CHAT.answer)
    with unanswering() as url:
        claims = Claims(RedisClaims(url.replace("http", "redis"), sealer=Sealer(SEAL_KEY), timeout=0.05))
        with House(tmp_path, claims=claims) as house:
            standard(house.contents, house.team, provider_url)
            house.publish()
            assert REPLAYED not in send(house).headers
            assert send(house).headers[REPLAYED] == "true"
            assert len(provider.asked) == 1
