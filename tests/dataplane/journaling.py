"""Calls to write into journals, and journals read back from disk, for the tests of the journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataplane.events import Intent, UsageEvent
from dataplane.ids import new_id
from dataplane.segments import Replay, journals, replay

WAIT_LIMIT = 20.0


def an_intent(**fields: Any) -> Intent:
    call = new_id()
    common: dict[str, Any] = {
        "id": call,
        "request_id": call,
        "at": 1_763_800_000.25,
        "plane": "llm",
        "principal": "user:12",
        "principal_name": "ci",
        "key": 77,
        "key_name": "ci-key",
        "team": 3,
        "team_name": "research",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "price": "catalogue:openai/gpt-4o-mini@2026-11-22",
        "reserve": 900,
        "accounts": ("b:1",),
        "estimate": {"input": 10, "output": 100},
    }
    return Intent(**{**common, **fields})


def settled(intent: Intent, *, cost: str | None = "0.0000001", outcome: str = "ok", **fields: Any) -> UsageEvent:
    """How the call ended; 0.0000001 USD are 100 of the authority's units."""
    shared = {name: getattr(intent, name) for name in UsageEvent.__struct_fields__ if name in Intent.__struct_fields__ and name != "price"}
    return UsageEvent(**{**shared, "outcome": outcome, "status": 200, "cost": cost, "price": intent.price or None, **fields})


def read_back(directory: Path, name: str) -> Replay:
    return replay(journals(directory)[name])


def eventually(condition: Callable[[], bool], *, within: float = WAIT_LIMIT) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.01)
