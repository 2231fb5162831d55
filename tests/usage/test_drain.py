"""From the stream into the ledger: each event once, whatever is killed, away or delivered twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from dataplane.journal import Journal
from dataplane.outlets import StreamOutlet
from dataplane.segments import journals
from dataplane.shipper import Shipper
from tests.dataplane.journaling import an_intent, eventually, settled
from tests.usage.calls import a_call
from usage import ledger
from usage.drain import GROUP, Drain
from usage.models import LedgerEntry, RejectedEvent

STREAM = "ch-test:usage"

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        yield client


@pytest.fixture
def drain(server: Any) -> Drain:
    return Drain(server, stream=STREAM)


def send(server: Any, *events: Any, source: str = "w1", tag: str = "1:0") -> None:
    lines = b"\n".join(event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events)
    server.xadd(STREAM, {"source": source, "tag": tag, "lines": lines})


def test_what_is_on_the_stream_is_entered_confirmed_and_taken_off(server: Any, drain: Drain) -> None:
    events = [a_call(), a_call(), a_call()]
    send(server, *events[:2], tag="1:0")
    send(server, events[2], tag="1:900")
    assert drain.drain_once() == 2
    assert {str(pk) for pk in LedgerEntry.objects.values_list("pk", flat=True)} == {event.id for event in events}
    assert server.xlen(STREAM) == 0
    assert server.xpending(STREAM, GROUP)["pending"] == 0
    assert server.lrange(f"{STREAM}:done:w1", 0, -1) == [b"1:0", b"1:900"]
    assert drain.drain_once() == 0


def test_an_entry_that_comes_twice_is_entered_once(server: Any, drain: Drain) -> None:
    event = a_call()
    send(server, event)
    send(server, event, event)
    assert drain.drain_once() == 2
    assert (drain.recorded, LedgerEntry.objects.count()) == (1, 1)


def test_while_the_database_is_away_entries_wait_and_nothing_is_confirmed(
    server: Any, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(server, a_call())

    def away(*args: Any, **kwargs: Any) -> int:
        raise DatabaseError("away")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "record_lines", away)
        with pytest.raises(DatabaseError):
            drain.drain_once()
    assert (server.xlen(STREAM), server.exists(f"{STREAM}:done:w1")) == (1, 0)
    assert drain.drain_once() == 1
    assert LedgerEntry.objects.count() == 1


def test_what_a_dead_drain_held_is_claimed_by_another(server: Any, drain: Drain) -> None:
    drain.drain_once()
    send(server, a_call())
    server.xreadgroup(GROUP, "dead", {STREAM: ">"})
    assert drain.drain_once() == 0, "it may be alive"
    patient = Drain(server, stream=STREAM, claim_after_ms=0)
    assert patient.drain_once() == 1
    assert LedgerEntry.objects.count() == 1
    assert server.xpending(STREAM, GROUP)["pending"] == 0


def test_a_line_that_is_no_event_is_kept_apart_and_confirmed(server: Any, drain: Drain) -> None:
    send(server, b"not json", a_call())
    drain.drain_once()
    assert LedgerEntry.objects.count() == 1
    assert (RejectedEvent.objects.get().line, RejectedEvent.objects.get().source) == ("not json", "w1")
    assert server.xlen(STREAM) == 0


def test_a_stream_that_is_gone_is_begun_again(server: Any, drain: Drain, settings: Any) -> None:
    """A Redis that lost everything: the shipper sends again, and the drain makes its group again."""
    drain.drain_once()
    server.delete(STREAM)
    thread = threading.Thread(target=drain.run)
    thread.start()
    try:
        eventually(lambda: bool(server.exists(STREAM)))
    finally:
        drain.stop()
        thread.join()
    assert server.xinfo_consumers(STREAM, GROUP) == [], "a drain that holds nothing leaves no trace"


@pytest.mark.django_db(transaction=True)
def test_from_a_gateway_s_journal_to_the_ledger_and_back_to_the_journal(tmp_path: Path, server: Any, drain: Drain) -> None:
    journal = Journal(tmp_path, worker="w", segment_bytes=4_000)
    shipper = Shipper(journal, StreamOutlet(server, stream=STREAM))
    calls = [an_intent() for _ in range(20)]
    for call in calls:
        journal.intent(call)
        journal.settle(settled(call))
    shipper.ship()
    while drain.drain_once():
        pass
    shipper.ship()
    assert shipper.lag == 0
    assert len(journals(tmp_path)[journal.name]) == 1
    assert {str(pk) for pk in LedgerEntry.objects.values_list("pk", flat=True)} == {call.id for call in calls}
    journal.close()


def test_the_command_takes_what_is_there(redis_url: str, server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usage.management.commands.drain_usage.Drain", lambda client: Drain(client, stream=STREAM))
    settings.CUSTOMHOUSE = type("Settings", (), {"redis_url": redis_url})()
    send(server, a_call(), a_call())
    out = StringIO()
    call_command("drain_usage", "--once", stdout=out)
    assert out.getvalue() == "2 usage events\n"
    settings.CUSTOMHOUSE = type("Settings", (), {"redis_url": None})()
    with pytest.raises(CommandError, match="CUSTOMHOUSE_REDIS_URL"):
        call_command("drain_usage", "--once")


DRAINING = """
import os, sys
import django
django.setup()
import redis
from dataplane.outlets import STREAM
from usage.drain import Drain
drain = Drain(redis.Redis.from_url(os.environ["CUSTOMHOUSE_REDIS_URL"]), stream=sys.argv[1], claim_after_ms=200)
drain.run()
"""


@pytest.mark.postgres
def test_drains_that_are_killed_lose_and_double_nothing(
    on_postgres: Any, redis_url: str, server: Any, tmp_path: Path, postgres_server: str
) -> None:
    root = Path(__file__).parents[2]
    name = on_postgres.settings_dict["NAME"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{root}:{root / 'platform'}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "CUSTOMHOUSE_HOME": str(tmp_path),
        "CUSTOMHOUSE_REDIS_URL": redis_url,
        "CUSTOMHOUSE_DATABASE_URL": f"{postgres_server.rstrip('/')}/{name}",
        "CUSTOMHOUSE_SECRET_KEY": "k" * 50,
        "CUSTOMHOUSE_KEY_PEPPER": "p" * 50,
        "CUSTOMHOUSE_SEAL_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    }
    sent = 0
    for round_ in range(2):
        process = subprocess.Popen([sys.executable, "-c", DRAINING, STREAM], env=environment)
        for batch in range(10):
            send(server, *(a_call() for _ in range(20)), tag=f"{round_}:{batch}")
            sent += 20
        eventually(lambda so_far=sent - 150: LedgerEntry.objects.count() >= so_far)
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = subprocess.Popen([sys.executable, "-c", DRAINING, STREAM], env=environment)
    eventually(lambda: server.xlen(STREAM) == 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert LedgerEntry.objects.count() == sent
    connections["default"].close()
