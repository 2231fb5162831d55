"""From the journal to a sink or a stream: nothing is lost when the other side is away, fails half-way or forgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dataplane import outlets
from dataplane.errors import AuthorityUnavailable
from dataplane.events import UsageEvent
from dataplane.journal import Journal
from dataplane.outlets import SinkOutlet, StreamOutlet
from dataplane.recovery import Recovery
from dataplane.segments import journals
from dataplane.shipper import Shipper
from tests.dataplane.journaling import an_intent, eventually, settled


class Sink:
    """Stands for the ledger: `away` while it can't be reached."""

    def __init__(self) -> None:
        self.away = False
        self.events: list[UsageEvent] = []

    def __call__(self, events: list[UsageEvent]) -> None:
        if self.away:
            raise ConnectionError("the database is away")
        self.events += events

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal", worker="w", segment_bytes=10_000)
    yield journal
    journal.close()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def shipper(journal: Journal, sink: Sink, tmp_path: Path) -> Shipper:
    return Shipper(journal, SinkOutlet(sink, aside=tmp_path / "aside"), interval=0.01)


def some_calls(journal: Journal, count: int) -> list[str]:
    calls = []
    for _ in range(count):
        intent = an_intent()
        journal.intent(intent)
        journal.settle(settled(intent))
        calls.append(intent.id)
    return calls


async def test_settled_calls_arrive_whole_in_order_and_soon(journal: Journal, shipper: Shipper, sink: Sink) -> None:
    await shipper.start()
    calls = some_calls(journal, 100)
    eventually(lambda: len(sink.events) == 100)
    assert sink.ids == calls
    assert sink.events[0] == settled(an_intent(id=calls[0], request_id=calls[0]))
    eventually(lambda: shipper.lag == 0)
    assert len(journals(journal.directory)[journal.name]) == 1, "shipped segments are deleted"
    await shipper.close()


def test_an_open_call_is_not_shipped(journal: Journal, shipper: Shipper, sink: Sink) -> None:
    journal.intent(an_intent())
    journal.lease("b:1", 100)
    shipper.ship()
    assert sink.events == []


async def test_while_the_sink_is_away_everything_waits_on_disk(journal: Journal, shipper: Shipper, sink: Sink) -> None:
    sink.away = True
    await shipper.start()
    calls = some_calls(journal, 50)
    eventually(lambda: shipper.failures >= 2)
    assert shipper.lag > 0
    sink.away = False
    eventually(lambda: shipper.failures == 0)
    assert sink.ids == calls
    await shipper.close()


async def test_closing_ships_what_is_left_and_a_next_worker_needs_nothing(journal: Journal, shipper: Shipper, sink: Sink) -> None:
    calls = some_calls(journal, 5)
    await shipper.close()
    assert sink.ids == calls
    journal.close()
    assert list(journal.directory.iterdir()) == []


async def test_what_could_not_be_shipped_at_closing_is_shipped_by_the_next_worker(
    journal: Journal, shipper: Shipper, sink: Sink, tmp_path: Path
) -> None:
    some_calls(journal, 3)
    shipper.ship()
    sink.away = True
    late = some_calls(journal, 3)
    await shipper.close()
    journal.close()
    sink.away = False
    sink.events.clear()

    after = Journal(journal.directory, worker="after")
    following = Shipper(after, SinkOutlet(sink, aside=tmp_path / "aside"))
    await Recovery(after.directory, shipper=following, authority=None).catch_up()
    assert sink.ids == late, "what was confirmed before is not sent again"
    await following.close()
    after.close()
    assert list(journal.directory.iterdir()) == []


def test_a_line_that_can_not_be_read_is_put_aside_and_does_not_stop_the_others(
    journal: Journal, shipper: Shipper, sink: Sink, tmp_path: Path
) -> None:
    before = some_calls(journal, 1)
    journal._append(b'{"line":"settle","id":7}\n')
    after = some_calls(journal, 1)
    shipper.ship()
    assert sink.ids == before + after
    assert (tmp_path / "aside").read_bytes() == b'{"line":"settle","id":7}\n'


async def test_slices_that_can_not_be_given_back_now_are_given_back_later(tmp_path: Path, sink: Sink) -> None:
    dead = Journal(tmp_path, worker="dead")
    dead.lease("b:1", 5_000)
    dead.close()

    class Authority:
        """Away at first; then it answers, and loses its connection within the first return."""

        well = False
        failing = True
        given: list[tuple[str, int]] = []

        async def health(self) -> bool:
            return self.well

        async def settle(self, account: str, spent: int) -> None:
            raise AssertionError("nothing was spent")

        async def give_back(self, account: str, amount: int) -> None:
            if self.failing:
                raise AuthorityUnavailable("away")
            self.given.append((account, amount))

    authority = Authority()
    journal = Journal(tmp_path, worker="alive")
    shipper = Shipper(journal, SinkOutlet(sink, aside=tmp_path / "aside"))
    recovery = Recovery(tmp_path, shipper=shipper, authority=authority)
    await recovery.run_once()
    shipper.ship()
    assert dead.name in journals(tmp_path), "kept while something of it is to be done"
    authority.well = True
    await recovery.run_once()
    shipper.ship()
    assert dead.name in journals(tmp_path)
    authority.failing = False
    await recovery.run_once()
    shipper.ship()
    assert authority.given == [("b:1", 5_000)]
    assert dead.name not in journals(tmp_path)
    await shipper.close()
    journal.close()


async def test_recovery_leaves_living_workers_alone_and_finds_one_that_dies_later(tmp_path: Path, sink: Sink) -> None:
    journal, other = Journal(tmp_path, worker="a"), Journal(tmp_path, worker="b")
    shipper = Shipper(journal, SinkOutlet(sink, aside=tmp_path / "aside"), interval=0.01)
    recovery = Recovery(tmp_path, shipper=shipper, authority=None, every=0.02)
    intent = an_intent()
    other.intent(intent)
    await shipper.start()
    await recovery.start()
    assert await recovery.run_once() == []
    other.close()
    for _ in range(500):
        if sink.events:
            break
        await recovery.run_once()
        shipper.ship()
    assert [(event.id, event.outcome, event.estimated, event.cost, event.usage) for event in sink.events] == [
        (intent.id, "unknown", True, "0.0000009", {"input": 10, "output": 100})
    ]
    await recovery.close()
    await shipper.close()
    journal.close()


async def test_an_unpriced_call_stays_unpriced_when_its_worker_dies(tmp_path: Path, sink: Sink) -> None:
    dead = Journal(tmp_path, worker="dead")
    dead.intent(an_intent(price="", reserve=0))
    dead.close()
    journal = Journal(tmp_path, worker="alive")
    shipper = Shipper(journal, SinkOutlet(sink, aside=tmp_path / "aside"))
    await Recovery(tmp_path, shipper=shipper, authority=None).catch_up()
    assert [(event.cost, event.price, event.outcome) for event in sink.events] == [(None, None, "unknown")]
    await shipper.close()
    journal.close()


STREAM = "ch-test:journal"


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        yield client


@pytest.fixture
def stream(server: redis.Redis) -> str:
    return STREAM


def entries(server: redis.Redis, stream: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    return server.xrange(stream)  # type: ignore[return-value]


def commit(server: redis.Redis, stream: str, entry: tuple[bytes, dict[bytes, bytes]]) -> None:
    """What the ledger's side does in one transaction when an entry is committed."""
    number, fields = entry
    with server.pipeline(transaction=True) as pipe:
        pipe.xdel(stream, number)
        pipe.rpush(f"{stream}:done:{fields[b'source'].decode()}", fields[b"tag"])
        pipe.execute()


def test_what_is_on_the_stream_stays_on_disk_until_it_is_confirmed(journal: Journal, server: redis.Redis, stream: str) -> None:
    shipper = Shipper(journal, StreamOutlet(server, stream=stream))
    calls = some_calls(journal, 30)
    shipper.ship()
    sent = entries(server, stream)
    lines = [line for _, fields in sent for line in fields[b"lines"].split(b"\n")]
    assert len(sent) > 1, "one entry for the lines of one segment"
    assert [call for line, call in zip(lines, calls, strict=True) if call.encode() not in line] == []
    shipper.ship()
    assert shipper.lag == journal.used
    for entry in reversed(sent):
        commit(server, stream, entry)
    shipper.ship()
    assert shipper.lag == 0
    assert len(journals(journal.directory)[journal.name]) == 1


def test_a_stream_that_lost_everything_is_filled_again_from_disk(
    journal: Journal, server: redis.Redis, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "LOST_AFTER", 0.0)
    shipper = Shipper(journal, StreamOutlet(server, stream=stream))
    some_calls(journal, 3)
    shipper.ship()
    before = [fields for _, fields in entries(server, stream)]
    server.delete(stream)
    shipper.ship()
    assert [fields for _, fields in entries(server, stream)] == before
    commit(server, stream, entries(server, stream)[0])
    shipper.ship()
    assert shipper.lag == 0
    assert entries(server, stream) == []


def test_no_more_than_a_window_is_on_the_stream_at_once(
    tmp_path: Path, server: redis.Redis, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataplane.shipper.WINDOW", 3)
    journal = Journal(tmp_path, worker="w", segment_bytes=2_000)
    shipper = Shipper(journal, StreamOutlet(server, stream=stream))
    calls = some_calls(journal, 60)
    seen: list[bytes] = []
    for _ in range(200):
        shipper.ship()
        waiting = entries(server, stream)
        assert len(waiting) <= 3
        for entry in waiting:
            seen += entry[1][b"lines"].split(b"\n")
            commit(server, stream, entry)
    assert len(seen) == 60
    assert all(call.encode() in line for call, line in zip(calls, seen, strict=True))
    journal.close()


def test_a_server_that_is_away_costs_nothing_but_time(journal: Journal, server: redis.Redis, stream: str) -> None:
    away = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    shipper = Shipper(journal, StreamOutlet(away, stream=stream))
    calls = some_calls(journal, 2)
    with pytest.raises(redis.ConnectionError):
        shipper.ship()
    shipper._outlet = StreamOutlet(server, stream=stream)
    shipper.ship()
    assert b"".join(fields[b"lines"] for _, fields in entries(server, stream)).count(b'"line":"settle"') == len(calls)
    away.close()
