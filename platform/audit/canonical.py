"""Values as they are written into the trail, and the one byte form that is hashed.

A hash has to come out the same after a round trip through any database. PostgreSQL's jsonb reorders keys, rewrites
numbers and refuses NUL and lone surrogates, so numbers other than integers become text and strings are cleaned first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Model

if TYPE_CHECKING:
    from audit.models import AuditEvent

GENESIS = "0" * 64
MAX_TEXT = 10_000
HIDDEN = "(hidden)"

_SECRET = re.compile(r"(?:^|_)(?:secret|password|credential|api_?key|token|private_key|client_secret)$")


def is_secret(name: str) -> bool:
    """Whether a field of this name holds something that must never be shown, exported or written down."""
    return bool(_SECRET.search(name.lower()))


def plain(value: Any) -> Any:
    """`value` as JSON that survives every database unchanged: dict, list, str, int, bool or None."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    if isinstance(value, Model):
        return _text(str(value))
    if isinstance(value, Mapping):
        return {_text(str(key)): HIDDEN if item and is_secret(str(key)) else plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return _text(str(value))


def _text(value: str) -> str:
    clean = value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return clean if len(clean) <= MAX_TEXT else f"{clean[:MAX_TEXT]}… ({len(clean)} characters)"


def chain_hash(event: AuditEvent) -> str:
    """SHA-256 over the canonical JSON of everything in the row but the hash itself, the previous hash included."""
    content = {
        "id": event.id,
        "at": event.at.astimezone(UTC).isoformat(),
        "actor": [event.actor_ref, event.actor_name],
        "action": event.action,
        "target": [event.target_type, event.target_id, event.target_label],
        "changes": event.changes,
        "extra": event.extra,
        "prev": event.prev_hash,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
