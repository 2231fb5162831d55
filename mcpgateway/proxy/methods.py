"""What may be asked of a server through the house. A method that is not named here is answered as unknown, never passed on.

`tasks/*` is not among them: a server behind the house sees one caller, so without a check of who owns a task any
principal could read another's (the hole of CVE-2026-52870).
"""

from __future__ import annotations

TOOLS = frozenset({"tools/list", "tools/call"})
_CONTENT = frozenset({"prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read", "completion/complete"})

LEGACY_ALWAYS = TOOLS | {"initialize", "ping", "logging/setLevel"}
MODERN_ALWAYS = TOOLS | {"server/discover", "subscriptions/listen"}
"""Open to a caller that may use at least one tool."""

LEGACY_WHOLE = LEGACY_ALWAYS | _CONTENT | {"resources/subscribe", "resources/unsubscribe"}
MODERN_WHOLE = MODERN_ALWAYS | _CONTENT | {"skills/list", "skills/get", "resources/directory/read"}
"""Open to a caller that may use the whole server: a grant on a tool says nothing about prompts and resources."""

METERED = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
"""Calls that do a server's work and are usage events. Looking around (lists, discovery, pings) is not."""

STREAMS = frozenset({"subscriptions/listen"})
"""Answered by a stream of notifications that lasts."""


def known(method: str, *, modern: bool, whole: bool) -> bool:
    if modern:
        return method in (MODERN_WHOLE if whole else MODERN_ALWAYS)
    return method in (LEGACY_WHOLE if whole else LEGACY_ALWAYS)
