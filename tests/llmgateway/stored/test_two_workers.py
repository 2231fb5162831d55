"""Two workers on one Redis: what one stored the other finds, and a batch is settled by one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplane.pins import Pins
from dataplane.pins_redis import RedisShelf
from llmgateway.proxy import stored
from llmgateway.proxy.stored.watch import BatchWatch
from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.provider import said
from tests.fakes.storing import Person, Vendor, lay_out, line


@pytest.fixture
def workers(tmp_path: Path, vendor: Vendor, vendor_url: str, redis_url: str) -> Iterator[tuple[House, House]]:
    def opened(name: str) -> House:
        return House(tmp_path / name, routes=[stored.routes()], pins=Pins(RedisShelf(redis_url)))

    with opened("one") as one, opened("other") as other:
        for house in (one, other):
            lay_out(house, vendor_url)
        yield one, other


def written(house: House) -> None:
    shelf = house.kit.pins._shelf
    assert isinstance(shelf, RedisShelf)
    house.wait_until(lambda: not shelf._waiting)


def test_what_one_worker_stored_the_other_finds(workers: tuple[House, House], vendor: Vendor) -> None:
    one, other = workers
    made = Person(one, one.key).ask("POST", "/v1/conversations", json={}).json()["id"]
    written(one)
    assert Person(other, other.key).ask("GET", f"/v1/conversations/{made}").status_code == 200
    assert Person(other, other.key).ask("GET", "/v1/conversations/conv_9").status_code == 404
    assert vendor.asked == ["POST /conversations", f"GET /conversations/{made}"]


def test_a_batch_is_settled_by_one_of_them(workers: tuple[House, House], vendor: Vendor) -> None:
    one, other = workers
    person = Person(one, one.key)
    file = person.upload(line(), purpose="batch").json()["id"]
    batch = person.ask("POST", "/v1/batches", json={"input_file_id": file}).json()["id"]
    written(one)
    vendor.answers(
        f"GET /batches/{batch}", {"id": batch, "status": "completed", "completed_at": 1_763_900_000, "output_file_id": "file_out"}
    )
    vendor.answers("GET /files/file_out/content", said({"response": {"body": answers.chat()}}))

    async def look(house: House) -> int:
        return await BatchWatch(house.kit).look()

    running = []
    for house in workers:
        assert house.kit._loop is not None
        running.append(asyncio.run_coroutine_threadsafe(look(house), house.kit._loop))
    assert sorted(each.result(10) for each in running) == [0, 1]
    for house in workers:
        written(house)
        Person(house, house.key).ask("GET", f"/v1/batches/{batch}")
    assert len(one.journaled()) + len(other.journaled()) == 1
    assert vendor.asked.count("GET /files/file_out/content") == 1
