"""The ledger on PostgreSQL: monthly partitions, one entry per event across them, and a trigger against changes."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, close_old_connections, connections, transaction

from tests.usage.calls import a_call
from usage import ledger, partitions, rollups, totals
from usage.models import LedgerEntry, RejectedEvent, UnpricedModel

pytestmark = pytest.mark.postgres

THIS = partitions.month_of(datetime.now(UTC))
NOW = datetime(THIS.year, THIS.month, 15, 12, tzinfo=UTC)


def tables(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class JOIN pg_inherits ON oid = inhrelid WHERE inhparent = 'usage_ledgerentry'::regclass")
        return {name for (name,) in cursor.fetchall()}


def rows_of(connection: Any, table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def in_month(months: int) -> datetime:
    month = partitions.months_after(THIS, months)
    return NOW.replace(year=month.year, month=month.month)


def test_a_month_s_partition_is_made_when_its_first_entry_comes(on_postgres: Any) -> None:
    assert tables(on_postgres) == {"usage_ledgerentry_rest"}
    ledger.record([a_call(at=in_month(0)), a_call(at=in_month(-1))])
    before = partitions.name_of(partitions.months_after(THIS, -1))
    assert tables(on_postgres) == {"usage_ledgerentry_rest", partitions.name_of(THIS), before}
    assert rows_of(on_postgres, partitions.name_of(THIS)) == 1
    assert rows_of(on_postgres, "usage_ledgerentry_rest") == 0


def test_partitions_are_made_ahead_and_only_once(on_postgres: Any) -> None:
    made = partitions.ensure_ahead()
    assert len(made) == partitions.AHEAD + 2
    partitions._known.clear()
    assert partitions.ensure_ahead() == []
    assert tables(on_postgres) == {*made, "usage_ledgerentry_rest"}


def test_an_entry_of_another_age_is_taken_and_gets_no_partition(on_postgres: Any) -> None:
    assert ledger.record([a_call(at=datetime(1999, 1, 1, tzinfo=UTC)), a_call(at=datetime(2190, 1, 1, tzinfo=UTC))]) == 2
    assert tables(on_postgres) == {"usage_ledgerentry_rest"}
    assert rows_of(on_postgres, "usage_ledgerentry_rest") == 2


def test_entries_of_the_default_partition_move_when_their_month_is_made(on_postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    event, other = a_call(at=in_month(0)), a_call(at=datetime(1999, 1, 1, tzinfo=UTC))
    with monkeypatch.context() as patch:
        patch.setattr(partitions, "ensure", lambda months: [])
        ledger.record([event, other])
    assert rows_of(on_postgres, "usage_ledgerentry_rest") == 2
    partitions.ensure([THIS])
    assert rows_of(on_postgres, "usage_ledgerentry_rest") == 1
    assert rows_of(on_postgres, partitions.name_of(THIS)) == 1
    assert ledger.record([event, other]) == 0
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), on_postgres.cursor() as cursor:
        cursor.execute("DELETE FROM usage_ledgerentry_rest")


def test_an_event_is_entered_once_whatever_the_partitions(on_postgres: Any) -> None:
    events = [a_call(at=in_month(months)) for months in (-2, -1, 0, 1)]
    assert ledger.record(events) == 4
    assert ledger.record(events[::-1]) == 0
    assert LedgerEntry.objects.count() == 4


def test_eight_recorders_of_the_same_events_enter_each_once(on_postgres: Any) -> None:
    events = [a_call(at=in_month(number % 2), cost=None) for number in range(200)]
    counts: list[int] = []

    def work() -> None:
        try:
            counts.append(ledger.record(events))
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close_old_connections()
    assert (len(counts), sum(counts), LedgerEntry.objects.count()) == (8, 200, 200)
    assert UnpricedModel.objects.get().calls == 200


@pytest.mark.parametrize("statement", ["UPDATE usage_ledgerentry SET cost = 0", "DELETE FROM usage_ledgerentry"])
def test_the_database_itself_refuses_a_change(on_postgres: Any, statement: str) -> None:
    ledger.record([a_call(at=NOW)])
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), on_postgres.cursor() as cursor:
        cursor.execute(statement)
    assert LedgerEntry.objects.get().cost == Decimal("0.000045")


def test_what_postgres_refuses_never_reaches_it(on_postgres: Any) -> None:
    events = [a_call(model="a\x00\ud800b"), a_call(usage={"\x00": 1}), a_call(key=2**63), a_call(latency_ms=float("inf"))]
    assert ledger.record(events) == 2
    assert RejectedEvent.objects.count() == 2
    assert sorted(LedgerEntry.objects.values_list("model", flat=True)) == ["a?b", "gpt-4o-mini"]


def test_sums_are_exact_from_rollups_and_from_the_ledger(on_postgres: Any) -> None:
    events = [a_call(day=day, cost=f"0.{day:012d}", model=f"m{day % 2}") for day in range(1, 11)]
    ledger.record(events)
    expected = sum(Decimal(event.cost or 0) for event in events)
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    assert totals.total(first=first, last=last).cost == expected
    rollups.roll_up_stale()
    assert totals.total(first=first, last=last).cost == expected
    assert [group.measures.calls for group in totals.groups(first=first, last=last, by=("model",))] == [5, 5]


def test_the_indexes_of_the_model_are_there_under_their_names(on_postgres: Any) -> None:
    with on_postgres.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'usage_ledgerentry'")
        names = {name for (name,) in cursor.fetchall()}
    assert {index.name for index in LedgerEntry._meta.indexes} <= names
    assert "usage_ledgerentry_pkey" in names


def test_the_partitioning_can_be_taken_back_and_keeps_the_entries(on_postgres: Any) -> None:
    ledger.record([a_call(at=in_month(0)), a_call(at=in_month(1))])
    call_command("migrate", "usage", "0001", verbosity=0)
    assert LedgerEntry.objects.count() == 2
    partitions._known.clear()
    call_command("migrate", "usage", verbosity=0)
    assert LedgerEntry.objects.count() == 2
    assert rows_of(on_postgres, "usage_ledgerentry_rest") == 2
    partitions.ensure_ahead()
    assert rows_of(on_postgres, "usage_ledgerentry_rest") == 0
    partitions._known.clear()
