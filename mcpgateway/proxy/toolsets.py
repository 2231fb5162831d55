"""Calls to `/mcp/{slug}` where the slug is a toolset's: a virtual server over approved tools of several servers.

It speaks 2026-07-28, in which every message stands for itself; its lists come from the snapshot, its calls go to the
member's server under the tool's own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dataplane.asgi import JSON_TYPE, Request, respond
from dataplane.call import Call
from dataplane.jsonrpc import INVALID_PARAMS, Members, Message, RpcError, members_of, refuse_ambiguous, result_body
from dataplane.snapshot import ServerRecord, ToolsetRecord
from mcpgateway.proxy.call import Inbound, ServerCall
from mcpgateway.proxy.eras import MODERN_VERSIONS, modern_headers
from mcpgateway.proxy.failures import wrong_era
from mcpgateway.proxy.index import WHOLE, ServerIndex, server_index
from mcpgateway.proxy.methods import TOOLS
from mcpgateway.proxy.refusals import no_such_server, not_allowed, unknown_method, unknown_tool
from mcpgateway.proxy.servers import PARAMS, called_name, check_era

if TYPE_CHECKING:
    from dataplane.store import Snapshot

DISCOVER = "server/discover"
TTL_MS = 60_000
"""How long a client may keep a list: a change of approval reaches it within this, calls are checked at once."""

_encode = msgspec.json.Encoder().encode


class Member:
    """One public tool: where it is served, and its approved definition under its public name."""

    __slots__ = ("definition", "index", "name", "tool")

    def __init__(self, name: str, index: ServerIndex, tool: str) -> None:
        self.name = name
        self.index = index
        self.tool = tool
        members: Members = members_of(index.tools[tool].definition) or {}
        members["name"] = msgspec.Raw(_encode(name))
        self.definition = msgspec.Raw(_encode(members))

    @property
    def served(self) -> bool:
        return self.tool not in self.index.drifted


class ToolsetIndex:
    """A toolset with those of its members whose server serves them now."""

    def __init__(self, record: ToolsetRecord, servers: dict[str, ServerIndex]) -> None:
        self.record = record
        self.servers = servers
        self.members = {
            member.name: Member(member.name, servers[member.server], member.tool)
            for member in record.members
            if member.server in servers and member.tool in servers[member.server].tools
        }

    def listing(self) -> bytes:
        tools = [member.definition for member in self.members.values() if member.served]
        return _encode({"resultType": "complete", "tools": tools, "ttlMs": TTL_MS, "cacheScope": "private"})

    def description(self) -> bytes:
        """What `server/discover` says."""
        return _encode(
            {
                "resultType": "complete",
                "supportedVersions": MODERN_VERSIONS,
                "capabilities": {"tools": {}},
                "ttlMs": TTL_MS,
                "cacheScope": "private",
                "_meta": {"io.modelcontextprotocol/serverInfo": {"name": self.record.slug, "title": self.record.name, "version": "1"}},
            }
        )


class Toolsets:
    """The toolsets' indexes. One is made again when its own section or that of a member's server was replaced."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Snapshot, ToolsetIndex]] = {}

    def open(self, record: ToolsetRecord, inbound: Inbound) -> ToolsetTarget:
        """Raises NotFound when the toolset is not granted."""
        snapshot = inbound.snapshot
        if f"toolset:{record.slug}" not in snapshot.allowed(inbound.key):
            raise no_such_server()
        held = self._held.get(record.slug)
        if held is None or held[0] is not snapshot:
            held = self._held[record.slug] = (snapshot, self._current(record, snapshot, held[1] if held is not None else None))
        return ToolsetTarget(held[1], inbound)

    @staticmethod
    def _current(record: ToolsetRecord, snapshot: Snapshot, held: ToolsetIndex | None) -> ToolsetIndex:
        servers = {
            slug: snapshot.view(section, server_index)
            for slug in dict.fromkeys(member.server for member in record.members)
            if isinstance(section := snapshot.mcp.get(slug), ServerRecord)
        }
        if held is not None and held.record is record and held.servers == servers:
            return held
        return ToolsetIndex(record, servers)


class ToolsetTarget:
    """One toolset for one caller."""

    __slots__ = ("_inbound", "_index")

    def __init__(self, index: ToolsetIndex, inbound: Inbound) -> None:
        self._index = index
        self._inbound = inbound

    async def call(self, request: Request) -> Call | None:
        inbound, message = self._inbound, self._inbound.message
        if message is None:
            raise not_allowed("POST")
        if not inbound.modern:
            raise wrong_era(message, modern=False, version=inbound.version)
        if message.id is None:
            await respond(request.send, 202, [(b"x-request-id", request.id.encode())], b"")
            return None
        if message.method == "tools/call":
            return self._forward(message)
        await self._answer(request, message)
        return None

    def _forward(self, message: Message) -> Call:
        params = message.params or {}
        refuse_ambiguous(params, PARAMS, rpc_id=message.id)
        name = called_name(self._inbound, message)
        member = self._index.members.get(name)
        tool = member.index.tool(member.tool, WHOLE) if member is not None else None
        if member is None or tool is None:
            raise unknown_tool(name, rpc_id=message.id, modern=True)
        check_era(member.index, self._inbound, message)
        params["name"] = msgspec.Raw(_encode(member.tool))
        return ServerCall(self._inbound, member.index, WHOLE, routing=modern_headers(message, member.tool), tool=tool)

    async def _answer(self, request: Request, message: Message) -> None:
        if message.method == DISCOVER:
            result = self._index.description()
        elif message.method in TOOLS:
            if message.params is not None and "cursor" in message.params:
                raise RpcError(INVALID_PARAMS, "the cursor is unknown", rpc_id=message.id)
            result = self._index.listing()
        else:
            raise unknown_method(message.method, rpc_id=message.id, modern=True)
        body = result_body(msgspec.Raw(result), rpc_id=message.id or b"null")
        await respond(request.send, 200, [JSON_TYPE, (b"x-request-id", request.id.encode())], body)
