"""The one door into the ledger. Takes usage events as they come from journals, any number of times, and keeps each once."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec
from django.db import close_old_connections, connection, models, transaction

from dataplane import money
from dataplane.events import UsageEvent
from usage import alarms, partitions
from usage.models import LedgerEntry, RejectedEvent, StaleDay
from usage.models.ledger import column_meters
from usage.signals import events_recorded

log = logging.getLogger(__name__)

AT_ONCE = 250
"""Rows of one INSERT, less where the database takes fewer parameters."""

LARGEST = 2**63 - 1

Values = dict[str, Any]
"""An entry's columns. A model instance would cost more than all the rest of recording it."""


class Row(NamedTuple):
    event: UsageEvent
    values: Values


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(UsageEvent)


def sink(events: list[UsageEvent]) -> None:
    """`record` for a thread that lives on: a connection that broke is not used again. For the shipper in this process."""
    close_old_connections()
    try:
        record(events)
    finally:
        close_old_connections()


def record(events: Iterable[UsageEvent], *, source: str = "") -> int:
    """Enters what is not there yet; how many that were. All of it is committed when it returns, or nothing is.

    An event that can't be an entry goes to RejectedEvent. Raises django.db.Error when the database can't be reached."""
    rows: dict[str, Row] = {}
    rejected = []
    for event in events:
        try:
            values = as_entry(event)
        except (ValueError, OverflowError, OSError) as error:
            rejected.append(rejection(_encode(event), error, source=source))
        else:
            rows.setdefault(values["id"].hex, Row(event, values))
    with transaction.atomic():
        fresh = _enter(rows) if rows else []
        if rejected:
            RejectedEvent.objects.bulk_create(rejected)
        if fresh:
            entries = [row.values for row in fresh]
            StaleDay.objects.bulk_create([StaleDay(day=day) for day in sorted({entry["at"].date() for entry in entries})])
            alarms.raise_for(entries)
            transaction.on_commit(lambda: _tell([row.event for row in fresh]))
    return len(fresh)


def record_lines(lines: Sequence[bytes], *, source: str = "") -> int:
    """The same for lines of a journal; a line that can't be read is kept in RejectedEvent."""
    events, rejected = [], []
    for line in lines:
        try:
            events.append(_decoder.decode(line))
        except msgspec.MsgspecError as error:
            rejected.append(rejection(line, error, source=source))
    with transaction.atomic():
        RejectedEvent.objects.bulk_create(rejected)
        return record(events, source=source)


def as_entry(event: UsageEvent) -> Values:
    """The entry's columns. Text is cut to what its column takes; raises ValueError for what can't be made to fit."""
    values: Values = {
        "id": uuid.UUID(event.id),
        "at": datetime.fromtimestamp(event.at, UTC),
        "recorded_at": datetime.now(UTC),
        "usage": _counts(event.usage),
        "cost": _cost("cost", event.cost),
        "saved": _cost("saved", event.saved),
        "team_id": None if event.team is None else _within("team", event.team, 0, LARGEST),
        "key_id": _within("key", event.key, 0, LARGEST),
        "status": _within("status", event.status, 0, 999),
        "price": _text("price", event.price or ""),
        "estimated": event.estimated,
        "latency_ms": event.latency_ms,
        "ttft_ms": event.ttft_ms,
        **column_meters(event.usage),
    }
    for name in _TEXTS:
        values[name] = _text(name, getattr(event, name))
    return values


_TEXTS = (
    "request_id",
    "plane",
    "principal",
    "principal_name",
    "team_name",
    "key_name",
    "model",
    "provider",
    "deployment",
    "server",
    "tool",
    "agent",
    "outcome",
    "currency",
)
_WIDTHS = {field.attname: field.max_length or 0 for field in LedgerEntry._meta.concrete_fields if isinstance(field, models.CharField)}


def _text(name: str, value: str) -> str:
    """Without what PostgreSQL refuses: NUL, and halves of surrogate pairs."""
    if value.isascii() and len(value) <= _WIDTHS[name] and "\x00" not in value:
        return value
    clean = value.replace("\x00", "").encode("utf-8", "replace").decode()
    return clean if len(clean) <= _WIDTHS[name] else clean[: _WIDTHS[name] - 1] + "…"


def _counts(usage: dict[str, int]) -> dict[str, int]:
    for meter, count in usage.items():
        if not meter.isidentifier() or len(meter) > 64:
            raise ValueError(f"usage has a meter {meter[:64]!r}")
        _within(f"usage {meter}", count, 0, LARGEST)
    return usage


def _within(name: str, number: int, least: int, most: int) -> int:
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}")
    return number


def _cost(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        cost = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name} is {text!r}") from None
    if not cost.is_finite() or not 0 <= cost < Decimal(10) ** 12:
        raise ValueError(f"{name} is {text!r}")
    return Decimal(money.to_text(cost))


def rejection(line: bytes, error: Exception, *, source: str) -> RejectedEvent:
    log.error("a usage event is not fit for the ledger: %s", error)
    text = line.decode("utf-8", "replace").replace("\x00", "")
    return RejectedEvent(source=source[:200], line=text, error=f"{type(error).__name__}: {error}".replace("\x00", ""))


def _enter(rows: dict[str, Row]) -> list[Row]:
    """One INSERT … ON CONFLICT DO NOTHING per batch; the database says which were new."""
    partitions.ensure({partitions.month_of(row.values["at"]) for row in rows.values()})
    most = connection.features.max_query_params
    step = min(AT_ONCE, most // len(_FIELDS)) if most else AT_ONCE
    entries = [row.values for row in rows.values()]
    return [rows[number] for start in range(0, len(entries), step) for number in _insert(entries[start : start + step])]


# What a database takes as it is. The others are adapted by their field: ids, times, JSON and decimals differ by database.
_PLAIN = (models.CharField, models.IntegerField, models.FloatField, models.BooleanField)
_FIELDS = LedgerEntry._meta.concrete_fields
_COLUMNS = [(field.attname, None if isinstance(field, _PLAIN) else field) for field in _FIELDS]


def _insert(entries: list[Values]) -> list[str]:
    """Ids, as 32 hex digits, of those that were new."""
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in _FIELDS)
    places = f"({', '.join(['%s'] * len(_FIELDS))})"
    statement = (
        f"INSERT INTO {quote(LedgerEntry._meta.db_table)} ({columns}) VALUES {', '.join([places] * len(entries))} "  # noqa: S608
        f"ON CONFLICT DO NOTHING RETURNING {quote('id')}"
    )
    with connection.cursor() as cursor:
        this = cursor.db
        values = [
            entry[name] if field is None else field.get_db_prep_save(entry[name], this) for entry in entries for name, field in _COLUMNS
        ]
        cursor.execute(statement, values)
        return [found.hex if isinstance(found, uuid.UUID) else found for (found,) in cursor.fetchall()]


def _tell(events: list[UsageEvent]) -> None:
    for receiver, outcome in events_recorded.send_robust(sender=LedgerEntry, events=events):
        if isinstance(outcome, Exception):
            log.error("%r failed on recorded usage events", receiver, exc_info=outcome)
