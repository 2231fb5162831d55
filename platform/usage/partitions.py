"""Monthly partitions of the ledger on PostgreSQL; on SQLite there is one table and nothing to do here.

Partitions are made ahead by a task and, for a month that the task has not seen to, when the first entry of it comes.
What fits in none goes to the default partition and is moved when its month is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

TABLE = "usage_ledgerentry"
REST = f"{TABLE}_rest"
AHEAD = 3
"""Months made ahead of time."""

BEHIND = 24
"""Months back for which a partition is made on demand. Older (or far-off) times are mistakes and stay in the default one."""

_known: set[str] = set()


def month_of(moment: date) -> date:
    return date(moment.year, moment.month, 1)


def months_after(month: date, count: int) -> date:
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)


def name_of(month: date) -> str:
    return f"{TABLE}_{month:%Y_%m}"


def ensure_ahead() -> list[str]:
    """Makes this month's partition, the one before and the next ones. Names of those that were new."""
    this = month_of(datetime.now(UTC))
    return ensure(months_after(this, number) for number in range(-1, AHEAD + 1))


def ensure(months: Iterable[date]) -> list[str]:
    """Makes the partitions of these months where they are missing. Cheap for what this process has seen before."""
    if connection.vendor != "postgresql":
        return []
    this = month_of(datetime.now(UTC))
    made = []
    for month in sorted(set(months)):
        key = f"{connection.settings_dict['NAME']}/{name_of(month)}"
        if key in _known or not months_after(this, -BEHIND) <= month <= months_after(this, AHEAD):
            continue
        if _make(month):
            made.append(name_of(month))
        if not connection.in_atomic_block:
            _known.add(key)
        else:
            transaction.on_commit(partial(_known.add, key))
    return made


def _make(month: date) -> bool:
    """False when it exists. Others wait at the lock and then see it."""
    name = name_of(month)
    with transaction.atomic(), connection.cursor() as cursor:
        if _exists(cursor, name):
            return False
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [TABLE])
        if _exists(cursor, name):
            return False
        bounds = [f"{month} 00:00+00", f"{months_after(month, 1)} 00:00+00"]
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {REST} WHERE at >= %s AND at < %s)", bounds)  # noqa: S608 - constants
        if cursor.fetchone()[0]:
            _make_of_rest(cursor, name, bounds)
        else:
            cursor.execute(f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM (%s) TO (%s)", bounds)
    return True


def _exists(cursor: Any, name: str) -> bool:
    """Asked of the catalogue itself: to_regclass answers from a cache that waiting for the lock does not renew."""
    cursor.execute(
        "SELECT 1 FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass AND relname = %s", [TABLE, name]
    )
    return cursor.fetchone() is not None


def _make_of_rest(cursor: Any, name: str, bounds: list[str]) -> None:
    """The default partition holds entries of that month. Off the table it has no trigger that keeps them there."""
    execute = cursor.execute
    execute(f"ALTER TABLE {TABLE} DETACH PARTITION {REST}")
    execute(f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM (%s) TO (%s)", bounds)
    execute(f"INSERT INTO {TABLE} SELECT * FROM {REST} WHERE at >= %s AND at < %s", bounds)  # noqa: S608 - constants
    execute(f"DELETE FROM {REST} WHERE at >= %s AND at < %s", bounds)  # noqa: S608 - constants
    execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {REST} DEFAULT")
