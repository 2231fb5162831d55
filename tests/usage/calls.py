"""Usage events to record, for the tests of the usage app."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dataplane.events import UsageEvent
from dataplane.ids import new_id

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_call(*, day: int | None = None, at: datetime | None = None, **fields: Any) -> UsageEvent:
    """A settled model call of November 2026; at noon of `day` when one is given."""
    call = new_id()
    moment = at or (NOON if day is None else NOON.replace(day=day))
    common: dict[str, Any] = {
        "id": call,
        "request_id": f"req-{call}",
        "at": moment.timestamp(),
        "plane": "llm",
        "principal": "user:12",
        "principal_name": "ci",
        "key": 77,
        "key_name": "ci-key",
        "team": 3,
        "team_name": "research",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "deployment": "openai/gpt-4o-mini",
        "outcome": "ok",
        "status": 200,
        "usage": {"input": 100, "cached_read": 20, "cache_write_5m": 3, "cache_write_1h": 4, "output": 50, "reasoning": 10},
        "cost": "0.000045",
        "price": "catalogue:openai/gpt-4o-mini@2026-11-22",
        "latency_ms": 812.5,
        "ttft_ms": 100.25,
    }
    return UsageEvent(**{**common, **fields})
