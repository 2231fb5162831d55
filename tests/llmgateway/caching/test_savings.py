"""What kept answers saved, from the call to the report: it stands beside the cost, and the cost adds up without it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.test import Client

from identity.models import User
from tests.fakes.dialects import CHAT
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from usage import ledger, rollups
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("rolled_up", [False, True])
def test_savings_are_reported_beside_the_cost(house: House, provider: Provider, client: Client, admin: User, rolled_up: bool) -> None:
    provider.fallback = said(CHAT.answer)
    for _ in range(3):
        house.post(CHAT)
    headers = {**CHAT.headers(house.key), "idempotency-key": "k"}
    for _ in range(2):
        house.http.post(CHAT.path, json={**CHAT.body, "seed": 1}, headers=headers)
    events = house.all_settled(5)
    assert ledger.record(events) == 5
    assert ledger.record(events) == 0
    if rolled_up:
        rollups.roll_up_stale()
    one = Decimal(next(event.cost or "" for event in events if event.saved is None))
    client.force_login(admin)
    period = datetime.now(UTC).strftime("%Y-%m")
    answer = client.get("/api/v1/reports/costs/", {"period": period, "group_by": "model", "format": "json"})
    report = json.loads(b"".join(answer))  # type: ignore[arg-type]
    assert (Decimal(report["totals"]["cost"]), Decimal(report["totals"]["saved"])) == (2 * one, 3 * one)
    assert [(row["model"], row["calls"], row["unpriced"], Decimal(row["saved"])) for row in report["rows"]] == [("gpt", 5, 0, 3 * one)]
    given = LedgerEntry.objects.filter(deployment="cache").first()
    page = client.get(f"/admin/usage/ledgerentry/{given.pk}/change/")
    assert "Saved by an answer of before" in page.content.decode()
    assert client.get("/admin/usage/ledgerentry/").status_code == 200
    assert "not part of the cost" in client.get("/admin/usage/rollup/costs/", {"period": period}).content.decode()
