"""What was used, what it cost, and what may be spent."""

from __future__ import annotations

from usage.models.budget import Budget
from usage.models.ledger import LedgerEntry, RejectedEvent, UnpricedModel
from usage.models.price import Price
from usage.models.rollup import RolledDay, Rollup, StaleDay

__all__ = ["Budget", "LedgerEntry", "Price", "RejectedEvent", "RolledDay", "Rollup", "StaleDay", "UnpricedModel"]
