"""What a server says of itself, for a caller that may use some of its tools and nothing else of it."""

from __future__ import annotations

import msgspec

from dataplane.jsonrpc import members_of

OPEN = frozenset({"tools", "logging"})
_encode = msgspec.json.Encoder().encode


def narrowed(result: bytes) -> bytes:
    """An `initialize` or `server/discover` result without the capabilities that the caller has no grant for."""
    members = members_of(result)
    if members is None:
        return result
    if (raw := members.get("capabilities")) is not None:
        capabilities = {name: value for name, value in (members_of(raw) or {}).items() if name in OPEN}
        members["capabilities"] = msgspec.Raw(_encode(capabilities))
    if "cacheScope" in members:
        members["cacheScope"] = msgspec.Raw(b'"private"')
    return _encode(members)
