"""Alarms for what was used without a known price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest

from usage.models import UnpricedModel

Identity = tuple[str, str, str]


def raise_for(entries: Sequence[Mapping[str, Any]]) -> None:
    """Counts unpriced calls on their alarm, makes it where there is none, and opens it again where it was resolved.

    `entries` are columns of the ledger by name."""
    found: dict[Identity, list[datetime]] = {}
    for entry in entries:
        if entry["cost"] is None:
            found.setdefault(_identity(entry), []).append(entry["at"])
    for identity in sorted(found):  # in one order, so that two recorders never wait for each other in a circle
        _count(identity, found[identity])


def _count(identity: Identity, times: list[datetime]) -> None:
    key = dict(zip(("model", "provider", "deployment"), identity, strict=True))
    first, last = min(times), max(times)
    UnpricedModel.objects.bulk_create([UnpricedModel(**key, first_seen=first, last_seen=last)], ignore_conflicts=True)
    alarm = UnpricedModel.objects.filter(**key)
    alarm.update(calls=F("calls") + len(times), last_seen=Greatest("last_seen", last))
    alarm.filter(resolved_at__lt=last).update(resolved_at=None)


def _identity(entry: Mapping[str, Any]) -> Identity:
    """What has no price: a model at a deployment, or a tool or an agent, which are told where a model would be."""
    server, tool = entry["server"], entry["tool"]
    model = entry["model"] or (f"{server}/{tool}" if tool else server or entry["agent"])
    return model[:200], entry["provider"] or entry["plane"], entry["deployment"]
