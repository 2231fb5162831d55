"""Asks an MCP server what it is and what tools it has, in the era that it speaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from adminkit import outbound
from registry import canonical, hidden
from registry.choices import Era
from registry.discovery.rpc import CLIENT_INFO, LEGACY, MAX_ANSWER, MODERN, Caller, RpcRefused, Unreachable
from registry.errors import DiscoveryError

MAX_SECONDS = 30.0
MAX_PAGES = 100
MAX_TOOLS = 5_000
MAX_TOOL = 256 * 1024
MAX_INSTRUCTIONS = 100_000
MAX_NAME = 128
"""What the 2025-11-25 revision (SEP-986) allows for the name of a tool."""

_META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class DiscoveredTool:
    """`raw` is the definition's JSON byte for byte, `digest` that of its canonical form."""

    name: str
    raw: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class DiscoveredServer:
    """What a server told about itself. `problems` are the tools that were left out, and why."""

    url: str
    era: str
    protocol_version: str
    info: dict[str, Any]
    capabilities: dict[str, Any]
    instructions: str
    tools: tuple[DiscoveredTool, ...]
    problems: tuple[str, ...]
    latency_ms: int
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content = {
            "url": self.url,
            "info": self.info,
            "capabilities": self.capabilities,
            "instructions": self.instructions,
            "tools": {tool.name: tool.digest for tool in self.tools},
        }
        object.__setattr__(self, "digest", canonical.digest(content))

    @property
    def version(self) -> str:
        """The version that the server gives itself, "" when it gives none that we could store."""
        version = self.info.get("version")
        return version if isinstance(version, str) and len(version) <= 48 and version.isascii() and version.isprintable() else ""


class _Page(msgspec.Struct):
    tools: list[msgspec.Raw]
    nextCursor: str | None = None  # noqa: N815  (the wire's own name)


@dataclass(frozen=True, slots=True)
class _Introduction:
    """What a server said when it was greeted. `params` go with every request that follows."""

    era: str
    version: str
    about: dict[str, Any]
    info: dict[str, Any]
    params: dict[str, Any]
    seconds: float


def discover_server(
    url: str, *, era: str = Era.AUTO, allow_private: bool = False, headers: dict[str, str] | None = None
) -> DiscoveredServer:
    """Calls out for at most MAX_SECONDS. Raises DiscoveryError."""
    deadline = time.monotonic() + MAX_SECONDS
    with outbound.client(allow_private=allow_private, total_seconds=MAX_SECONDS, max_body=MAX_ANSWER) as client:
        caller = Caller(client, url, headers=headers or {}, deadline=deadline)
        told = _modern(caller) if era == Era.MODERN else _modern_or_none(caller) if era == Era.AUTO else None
        if told is not None:
            return _described(caller, url, told)
        caller = Caller(client, url, headers=headers or {}, deadline=deadline)
        try:
            return _described(caller, url, _legacy(caller))
        finally:
            with suppress(DiscoveryError):
                caller.hang_up()


def _modern_or_none(caller: Caller) -> _Introduction | None:
    """Older servers refuse the question in many ways. Only what asking again can't mend is raised."""
    try:
        return _modern(caller)
    except Unreachable:
        raise
    except RpcRefused as refused:
        if refused.status in {401, 403} or 300 <= refused.status < 400:
            raise
        return None
    except DiscoveryError:
        return None


def _modern(caller: Caller) -> _Introduction:
    caller.version = MODERN
    meta = {f"{_META}protocolVersion": MODERN, f"{_META}clientCapabilities": {}, f"{_META}clientInfo": CLIENT_INFO}
    started = time.monotonic()
    about = _members(caller.call("server/discover", {"_meta": meta}))
    seconds = time.monotonic() - started
    if MODERN not in (about.get("supportedVersions") or ()):
        raise DiscoveryError("it does not list 2026-07-28 among its versions")
    info = _mapping(_mapping(about.get("_meta")).get(f"{_META}serverInfo"))
    return _Introduction(Era.MODERN, MODERN, about, info, {"_meta": meta}, seconds)


def _legacy(caller: Caller) -> _Introduction:
    started = time.monotonic()
    about = _members(caller.call("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT_INFO}))
    seconds = time.monotonic() - started
    version = about.get("protocolVersion")
    if not isinstance(version, str) or not version.isascii() or not 1 <= len(version) <= 16:
        raise DiscoveryError("it did not say which version of MCP it speaks")
    caller.version = version
    caller.notify("notifications/initialized")
    return _Introduction(Era.LEGACY, version, about, _mapping(about.get("serverInfo")), {}, seconds)


def _described(caller: Caller, url: str, told: _Introduction) -> DiscoveredServer:
    capabilities = _mapping(told.about.get("capabilities"))
    instructions = told.about.get("instructions")
    problems: list[str] = []
    tools: dict[str, DiscoveredTool] = {}
    if "tools" in capabilities:
        for raw in _raw_tools(caller, told.params):
            _take(raw, tools, problems)
    return DiscoveredServer(
        url=url,
        era=told.era,
        protocol_version=told.version,
        info=told.info,
        capabilities=capabilities,
        instructions=instructions[:MAX_INSTRUCTIONS] if isinstance(instructions, str) else "",
        tools=tuple(tools.values()),
        problems=tuple(problems),
        latency_ms=round(told.seconds * 1000),
    )


def _raw_tools(caller: Caller, params: dict[str, Any]) -> Iterator[bytes]:
    """Every page's tools as sent. A server that never ends its list is refused, not cut off: a cut list hides tools."""
    seen: set[str] = set()
    count = 0
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = _page(caller.call("tools/list", params if cursor is None else {**params, "cursor": cursor}))
        for tool in page.tools:
            count += 1
            if count > MAX_TOOLS:
                raise DiscoveryError(f"it has more than {MAX_TOOLS:,} tools")
            yield bytes(tool)
        cursor = page.nextCursor
        if cursor is None:
            return
        if cursor in seen:
            raise DiscoveryError("its list of tools runs in a circle")
        seen.add(cursor)
    raise DiscoveryError(f"its list of tools has more than {MAX_PAGES} pages")


def _page(raw: bytes) -> _Page:
    try:
        return msgspec.json.decode(raw, type=_Page)
    except msgspec.DecodeError as error:
        raise DiscoveryError(f"its list of tools is not one ({error})") from None


def _take(raw: bytes, tools: dict[str, DiscoveredTool], problems: list[str]) -> None:
    try:
        definition = canonical.parse(raw)
    except canonical.NotCanonical as error:
        problems.append(f"A tool was left out: {error}.")
        return
    name = definition.get("name") if isinstance(definition, dict) else None
    if not isinstance(name, str) or not name.strip():
        problems.append("A tool was left out: it has no name.")
    elif len(name) > MAX_NAME or not name.isprintable() or name != name.strip() or not hidden.is_clean(name):
        problems.append(
            f"The tool {hidden.reveal(name[:MAX_NAME])!r} was left out: its name is too long or holds characters that can't be seen."
        )
    elif len(raw) > MAX_TOOL:
        problems.append(f"The tool {name!r} was left out: its definition is larger than 256 KiB.")
    elif name in tools:
        problems.append(f"The tool {name!r} is listed twice: the first one counts.")
    else:
        tools[name] = DiscoveredTool(name, raw, canonical.digest(definition))


def _members(raw: bytes) -> dict[str, Any]:
    try:
        value = canonical.parse(raw)
    except canonical.NotCanonical as error:
        raise DiscoveryError(f"what it says about itself can't be used: {error}") from None
    if not isinstance(value, dict):
        raise DiscoveryError("what it says about itself is not an object")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
