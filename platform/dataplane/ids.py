"""Identifiers that sort by time: UUIDv7 (RFC 9562), from a compiled library, since every call takes two."""

from __future__ import annotations

import uuid_utils


def new_id() -> str:
    """A UUIDv7 as 36 characters."""
    return str(uuid_utils.uuid7())
