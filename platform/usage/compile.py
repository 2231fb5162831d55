"""The section `budgets`: every budget as the data plane counts it, in 1e-9 USD."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dataplane import money
from dataplane.snapshot import BudgetRecord, BudgetSection, encode
from usage.models import Budget

if TYPE_CHECKING:
    from audit.models import AuditEvent

SECTION = "budgets"
PREFIXES = (SECTION,)


def sections_for(event: AuditEvent) -> set[str]:
    return {SECTION} if event.action.startswith("usage.budget.") else set()


def all_sections() -> Iterable[str]:
    return (SECTION,)


def compile_section(name: str) -> bytes | None:
    if name != SECTION:
        return None
    rows = Budget.objects.order_by("pk")
    return encode(
        BudgetSection(
            budgets=tuple(
                BudgetRecord(id=row.pk, subject=row.subject, limit=money.to_nano(row.limit), period=row.period, mode=row.mode)
                for row in rows
            )
        )
    )
