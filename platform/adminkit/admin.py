"""What apps import to build their admins, and the admin of the audit trail (which is a floor below and has none of its own)."""

from __future__ import annotations

from adminkit.base import ActionAdmin, ReadOnlyInline
from adminkit.trail import AuditEventAdmin

__all__ = ["ActionAdmin", "AuditEventAdmin", "ReadOnlyInline"]
