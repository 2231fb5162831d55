"""The places of the fields of journal lines: the hot path gives them by place (dataplane.entry)."""

from __future__ import annotations

from dataplane.events import Intent, UsageEvent

WHO = ("id", "request_id", "at", "plane", "principal", "principal_name", "key", "key_name")
WHERE = ("team", "team_name", "model", "provider", "deployment", "server", "tool", "agent")


def test_the_fields_of_an_intent_stand_where_the_hot_path_puts_them() -> None:
    assert Intent.__struct_fields__ == (*WHO, *WHERE, "price", "reserve", "accounts", "estimate")


def test_the_fields_of_a_settlement_stand_where_the_hot_path_puts_them() -> None:
    measured = ("usage", "cost", "currency", "price", "estimated", "latency_ms", "ttft_ms", "saved")
    assert UsageEvent.__struct_fields__ == (*WHO, "outcome", "status", *WHERE, *measured)
