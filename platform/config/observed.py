"""What the ledger lets others know: when a key was used last. The floors have it so: usage knows nothing of this."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from typing import Any

from django.dispatch import receiver

from dataplane.events import UsageEvent
from identity.actions import mark_keys_used
from usage.signals import events_recorded

AGAIN_AFTER = 60.0
"""Seconds: a key in steady use is written down once a minute, not with every batch of calls."""

REMEMBERED_AT_MOST = 50_000

_marked: dict[int, float] = {}
_lock = Lock()


@receiver(events_recorded, dispatch_uid="config.observed")
def mark_used(sender: Any, events: list[UsageEvent], **_: Any) -> None:
    latest: dict[int, float] = {}
    for event in events:
        latest[event.key] = max(event.at, latest.get(event.key, 0.0))
    with _lock:
        due = {key: at for key, at in latest.items() if at - _marked.get(key, 0.0) >= AGAIN_AFTER}
        if len(_marked) + len(due) > REMEMBERED_AT_MOST:
            _marked.clear()
        _marked.update(due)
    if due:
        mark_keys_used({key: datetime.fromtimestamp(at, UTC) for key, at in due.items()})
