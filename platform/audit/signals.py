"""`recorded` is sent with `event` (an AuditEvent) inside the transaction, right after the row is written.

What has effects outside the database waits for the commit: receivers use `transaction.on_commit`.
"""

from __future__ import annotations

from django.dispatch import Signal

recorded = Signal()
