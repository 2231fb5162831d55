"""The sections `mcp:<slug>`: a server or a toolset as callers are served it, from what the registry has approved.

A server that is not active or has no approved version has no section, and so does not exist to callers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dataplane.money import to_text
from dataplane.snapshot import ServerRecord, ToolRecord, ToolsetMember, ToolsetRecord, encode
from registry import queries
from registry.choices import Status
from registry.models import Server, Tool, Toolset

if TYPE_CHECKING:
    from audit.models import AuditEvent

PREFIX = "mcp:"
PREFIXES = (PREFIX,)

_NOT_PUBLISHED = frozenset(
    {"register", "version", "version_dropped", "health", "submit", "withdraw", "reopen", "approve", "reject", "deprecate"}
)
"""What happens to a server's versions before one goes live, and to its health: callers are served the same."""


def sections_for(event: AuditEvent) -> set[str]:
    """The section of the changed server, tool's server or toolset, and those of toolsets that hold the server's tools."""
    verb = _verb(event.action)
    kind, _, rest = str(event.extra.get("resource", "")).partition(":")
    if verb is None or verb in _NOT_PUBLISHED or kind not in ("server", "tool", "toolset"):
        return set()
    slug = rest.partition("/")[0]
    if kind == "toolset":
        return {PREFIX + slug}
    return {PREFIX + slug, *(PREFIX + toolset.slug for toolset in queries.toolsets_with(slug))}


def all_sections() -> Iterable[str]:
    servers = queries.live_servers().values_list("slug", flat=True)
    toolsets = Toolset.objects.filter(status=Status.ACTIVE).values_list("slug", flat=True)
    return [PREFIX + slug for slug in (*servers, *toolsets)]


def compile_section(name: str) -> bytes | None:
    """None where nothing is served at the slug."""
    slug = name.removeprefix(PREFIX)
    server = queries.live_server(slug)
    if server is not None:
        return encode(_server(server))
    toolset = queries.live_toolset(slug)
    return None if toolset is None else encode(_toolset(toolset))


def _verb(action: str) -> str | None:
    """`live` of `registry.server.live`; None for other apps' actions."""
    app, _, rest = action.partition(".")
    return rest.partition(".")[2] if app == "registry" else None


def _server(server: Server) -> ServerRecord:
    live = server.live_version
    tools = queries.live_tools(server).only("name", "definition", "digest", "price", "server__slug")
    return ServerRecord(
        id=server.pk,
        slug=server.slug,
        name=server.name,
        url=server.url,
        era=server.era,
        version=live.version if live is not None else "",
        tools=tuple(_tool(tool) for tool in tools),
        credential=bytes(server.credential) if server.credential is not None else None,
        credential_header=server.credential_header,
        allow_private_network=server.allow_private_network,
    )


def _tool(tool: Tool) -> ToolRecord:
    price = None if tool.price is None else to_text(tool.price)
    return ToolRecord(name=tool.name, definition=bytes(tool.definition), digest=tool.digest, price=price)


def _toolset(toolset: Toolset) -> ToolsetRecord:
    members = (ToolsetMember(name=name, server=server, tool=tool) for name, server, tool in queries.toolset_members(toolset))
    return ToolsetRecord(id=toolset.pk, slug=toolset.slug, name=toolset.name, members=tuple(members))
