"""Whether a tool that a server lists is the tool that was approved.

A definition is compared by the digest of its canonical JSON, so that spelling (white space, order of members) does not
count and everything else does. What was approved may have been read under another protocol version than the caller's:
members that a version does not know are left out by honest servers, so exactly those may be missing.
"""

from __future__ import annotations

from typing import Any

from mcpgateway.proxy.eras import MODERN
from registry.canonical import NotCanonical, digest, encode, parse

SINCE = {
    "annotations": "2025-03-26",
    "title": "2025-06-18",
    "outputSchema": "2025-06-18",
    "_meta": "2025-06-18",
    "icons": "2025-11-25",
}
"""The first version whose tools have this member."""

EXECUTION = "execution"
"""Known to 2025-11-25 alone: how a client may run the tool, nothing that it shows or sends."""


def matches(listed: bytes, *, approved: bytes, approved_digest: str, version: str) -> bool:
    """Whether `listed`, read under `version`, is the approved definition."""
    try:
        now = parse(listed)
        if digest(now) == approved_digest:
            return True
        return isinstance(now, dict) and _same_for(version, now, parse(approved))
    except NotCanonical:
        return False


def _same_for(version: str, listed: dict[str, Any], approved: dict[str, Any]) -> bool:
    for name, value in listed.items():
        if name != EXECUTION and (name not in approved or encode(value) != encode(approved[name])):
            return False
    return all(name in listed or name == EXECUTION or _unknown_to(version, name) for name in approved)


def _unknown_to(version: str, member: str) -> bool:
    """Versions are dates, so their text sorts; one that is not a known date counts as the newest."""
    since = SINCE.get(member)
    return since is not None and version < since and version <= MODERN
