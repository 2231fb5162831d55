"""The ledger takes each usage event once, whatever comes, and never changes one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction

from dataplane.events import UsageEvent
from tests.usage.calls import NOON, a_call
from usage import ledger
from usage.models import LedgerEntry, RejectedEvent, StaleDay, UnpricedModel
from usage.signals import events_recorded

pytestmark = pytest.mark.django_db


@pytest.fixture
def told() -> Any:
    """The events that were told of, by the signal."""
    heard: list[UsageEvent] = []

    def hear(sender: Any, events: list[UsageEvent], **_: Any) -> None:
        heard.extend(events)

    events_recorded.connect(hear)
    yield heard
    events_recorded.disconnect(hear)


def test_an_event_is_entered_with_all_that_it_says() -> None:
    event = a_call(cost="0.000000000001", estimated=True)
    assert ledger.record([event]) == 1
    entry = LedgerEntry.objects.get()
    assert entry.pk == uuid.UUID(event.id)
    assert entry.at == NOON
    assert entry.cost == Decimal("0.000000000001")
    assert (entry.input, entry.cached_read, entry.cache_write, entry.output) == (100, 20, 7, 50)
    assert entry.usage == event.usage
    assert entry.request_id == event.request_id
    assert {name: getattr(entry, name) for name in ("principal", "principal_name", "team_id", "team_name", "key_id", "key_name")} == {
        "principal": "user:12",
        "principal_name": "ci",
        "team_id": 3,
        "team_name": "research",
        "key_id": 77,
        "key_name": "ci-key",
    }
    assert (entry.status, entry.outcome, entry.estimated, entry.latency_ms, entry.ttft_ms) == (200, "ok", True, 812.5, 100.25)
    assert entry.price == "catalogue:openai/gpt-4o-mini@2026-11-22"


def test_an_event_that_comes_again_is_not_entered_again(told: list[UsageEvent], django_capture_on_commit_callbacks: Any) -> None:
    first, second = a_call(), a_call()
    with django_capture_on_commit_callbacks(execute=True):
        assert ledger.record([first, first]) == 1
        assert ledger.record([first, second]) == 1
        assert ledger.record([first, second]) == 0
    assert LedgerEntry.objects.count() == 2
    assert told == [first, second]


def test_many_events_are_entered_in_a_number_of_statements_that_grows_by_batches(django_assert_max_num_queries: Any) -> None:
    events = [a_call() for _ in range(600)]
    with django_assert_max_num_queries(30):
        assert ledger.record(events) == 600


def test_an_event_that_fits_nowhere_is_kept_apart_and_stops_nothing() -> None:
    bad = [
        a_call(id="not-a-uuid"),
        a_call(),
        a_call(usage={"input": 2**63}),
        a_call(usage={"input": -1}),
        a_call(usage={"in\x00put": 1}),
        a_call(cost="lots"),
        a_call(cost="NaN"),
        a_call(cost="-0.5"),
        a_call(cost="1e12"),
        a_call(status=100_000),
        a_call(team=2**64 - 1),
    ]
    bad[1].at = 1e300
    good = a_call()
    assert ledger.record([*bad, good], source="gateway-1") == 1
    assert LedgerEntry.objects.get().pk == uuid.UUID(good.id)
    assert RejectedEvent.objects.count() == len(bad)
    assert {row.source for row in RejectedEvent.objects.all()} == {"gateway-1"}
    assert all(row.error and "settle" in row.line for row in RejectedEvent.objects.all())


def test_text_that_a_column_or_the_database_would_refuse_is_cut_to_fit() -> None:
    ledger.record([a_call(tool="x" * 500, model="a\x00b", key_name="k" * 64, agent="ü" * 101)])
    entry = LedgerEntry.objects.get()
    assert entry.tool == "x" * 199 + "…"
    assert entry.model == "ab"
    assert entry.key_name == "k" * 64
    assert entry.agent == "ü" * 99 + "…"


def test_lines_that_can_not_be_read_are_kept_apart() -> None:
    event = a_call()
    lines = [b'{"line":"settle","id":7}', msgspec.json.encode(event), b"\xff\x00garbage"]
    assert ledger.record_lines(lines, source="w") == 1
    assert sorted(row.line for row in RejectedEvent.objects.all()) == ['{"line":"settle","id":7}', "\ufffdgarbage"]


def test_an_entry_is_never_changed_or_deleted_through_the_models() -> None:
    ledger.record([a_call()])
    entry = LedgerEntry.objects.get()
    for attempt in (
        entry.save,
        entry.delete,
        LedgerEntry.objects.all().delete,
        lambda: LedgerEntry.objects.update(cost=0),
        lambda: LedgerEntry.objects.filter(pk=entry.pk).update(cost=0),
        lambda: LedgerEntry._base_manager.all().delete(),
    ):
        with pytest.raises(TypeError, match="append-only"):
            attempt()
    assert LedgerEntry.objects.get().cost == Decimal("0.000045")


def test_the_database_itself_refuses_a_change() -> None:
    ledger.record([a_call()])
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE usage_ledgerentry SET cost = '0'")
    assert LedgerEntry.objects.get().cost == Decimal("0.000045")


def test_a_day_with_new_entries_is_marked_in_the_same_transaction() -> None:
    ledger.record([a_call(day=3), a_call(day=4), a_call(day=4)])
    assert sorted(str(mark.day) for mark in StaleDay.objects.all()) == ["2026-11-03", "2026-11-04"]
    ledger.record([a_call(day=3)])
    assert StaleDay.objects.filter(day="2026-11-03").count() == 2
    with transaction.atomic():
        ledger.record([a_call(day=9)])
        transaction.set_rollback(True)
    assert not StaleDay.objects.filter(day="2026-11-09").exists()


def test_what_has_no_price_raises_an_alarm_and_is_never_zero() -> None:
    ledger.record([a_call(cost=None, price=None, day=5), a_call(cost=None, price=None, day=3), a_call(), a_call(cost="0")])
    alarm = UnpricedModel.objects.get()
    assert (alarm.model, alarm.provider, alarm.deployment, alarm.calls) == ("gpt-4o-mini", "openai", "openai/gpt-4o-mini", 2)
    assert (alarm.first_seen, alarm.last_seen) == (NOON.replace(day=3), NOON.replace(day=5))
    assert LedgerEntry.objects.filter(cost=None).count() == 2


def test_an_alarm_comes_back_only_for_calls_after_it_was_resolved() -> None:
    ledger.record([a_call(cost=None, day=3)])
    UnpricedModel.objects.update(resolved_at=NOON.replace(day=4))
    ledger.record([a_call(cost=None, day=2)])
    assert UnpricedModel.objects.get().resolved_at is not None
    ledger.record([a_call(cost=None, day=5)])
    alarm = UnpricedModel.objects.get()
    assert (alarm.resolved_at, alarm.calls) == (None, 3)


def test_a_tool_without_a_price_is_named_in_its_alarm() -> None:
    ledger.record([a_call(plane="mcp", model="", provider="", deployment="", server="weather", tool="forecast", cost=None)])
    assert str(UnpricedModel.objects.get()) == "weather/forecast at mcp ()"


def test_a_receiver_that_fails_does_not_undo_the_ledger(caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the live feed is broken")

    events_recorded.connect(fail)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            ledger.record([a_call()])
    finally:
        events_recorded.disconnect(fail)
    assert LedgerEntry.objects.count() == 1
    assert "failed on recorded usage events" in caplog.text


def test_every_main_meter_is_told_and_of_the_others_those_that_occur() -> None:
    ledger.record([a_call(usage={"input": 5, "images": 2})])
    assert LedgerEntry.objects.get().meters == {
        "input": 5,
        "cached_read": 0,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 0,
        "reasoning": 0,
        "images": 2,
    }


def test_a_time_keeps_its_microseconds() -> None:
    moment = datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)
    ledger.record([a_call(at=moment)])
    assert LedgerEntry.objects.get().at == moment
