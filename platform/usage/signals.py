"""What this app tells others."""

from __future__ import annotations

from django.dispatch import Signal

events_recorded = Signal()
"""Sent after the commit that brought usage events into the ledger. Arguments: `events`, the list of UsageEvent that were
new. Runs in the thread that recorded them; a receiver that fails is logged and stops nobody."""
