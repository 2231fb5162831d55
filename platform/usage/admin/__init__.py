from __future__ import annotations

from usage.admin.alarms import RejectedEventAdmin, UnpricedModelAdmin
from usage.admin.budgets import BudgetAdmin
from usage.admin.ledger import LedgerEntryAdmin
from usage.admin.prices import PriceAdmin
from usage.admin.rollups import RollupAdmin

__all__ = ["BudgetAdmin", "LedgerEntryAdmin", "PriceAdmin", "RejectedEventAdmin", "RollupAdmin", "UnpricedModelAdmin"]
