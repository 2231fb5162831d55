"""Calls to `/mcp/{slug}` where the slug is a server's."""

from __future__ import annotations

from dataplane.asgi import Request
from dataplane.call import Call
from dataplane.jsonrpc import INVALID_PARAMS, Message, RpcError, refuse_ambiguous
from dataplane.snapshot import ServerRecord
from mcpgateway.proxy.call import Inbound, ServerCall
from mcpgateway.proxy.eras import MODERN, modern_headers
from mcpgateway.proxy.failures import AUTO, wrong_era
from mcpgateway.proxy.index import Access, ServerIndex, Tool, server_index
from mcpgateway.proxy.methods import STREAMS, known
from mcpgateway.proxy.narrowing import check_listening
from mcpgateway.proxy.refusals import no_such_server, not_allowed, unknown_method
from mcpgateway.proxy.sessions import Session

PARAMS = frozenset({"name", "uri", "arguments", "_meta", "cursor", "requestState", "inputResponses", "task"})
"""Params that a look-alike in another case could stand in for, at a server that ignores case."""


class ServerTarget:
    """One server as one caller may use it."""

    __slots__ = ("_access", "_inbound", "_index")

    def __init__(self, index: ServerIndex, access: Access, inbound: Inbound) -> None:
        self._index = index
        self._access = access
        self._inbound = inbound

    async def call(self, request: Request) -> Call:
        inbound = self._inbound
        message = inbound.message
        if message is None:
            return self._stream()
        check_era(self._index, inbound, message)
        tool = None
        if message.id is not None and message.method:
            if not known(message.method, modern=inbound.modern, whole=self._access.whole):
                raise unknown_method(message.method, rpc_id=message.id, modern=inbound.modern)
            tool = self._resolve(message)
        routing = routing_headers(inbound, message)
        return ServerCall(inbound, self._index, self._access, routing=routing, session=self._session(), tool=tool)

    def _resolve(self, message: Message) -> Tool | None:
        """The tool of a tools/call; None for any other method. Raises RpcError as for an unknown tool."""
        if message.params is not None:
            refuse_ambiguous(message.params, PARAMS, rpc_id=message.id)
        if message.method in STREAMS and not self._access.whole:
            check_listening(message)
        if message.method != "tools/call":
            return None
        return self._index.tool_or_refuse(called_name(self._inbound, message), self._access, message=message, modern=self._inbound.modern)

    def _stream(self) -> Call:
        """GET and DELETE of a session."""
        if self._index.record.era == MODERN:
            raise not_allowed("POST")
        routing = routing_headers(self._inbound, None)
        return ServerCall(self._inbound, self._index, self._access, routing=routing, session=self._session())

    def _session(self) -> Session | None:
        inbound = self._inbound
        if inbound.modern or inbound.headers.session is None:
            return None
        record = self._index.record
        return inbound.sessions.find(inbound.headers.session, principal=inbound.key.principal.ref, slug=inbound.slug, url=record.url)


def server_call(record: ServerRecord, inbound: Inbound) -> ServerTarget:
    """Raises NotFound when the caller may use nothing of the server."""
    index = inbound.snapshot.view(record, server_index)
    access = index.access(inbound.snapshot.allowed(inbound.key))
    if access is None:
        raise no_such_server()
    return ServerTarget(index, access, inbound)


def check_era(index: ServerIndex, inbound: Inbound, message: Message) -> None:
    """Raises RpcError -32022 where the server is known to speak the other era only."""
    era = index.record.era
    if era != AUTO and (era == MODERN) != inbound.modern:
        raise wrong_era(message, modern=inbound.modern, version=inbound.version)


def called_name(inbound: Inbound, message: Message) -> str:
    """The tool that a tools/call names. Raises RpcError -32602 when it names none."""
    if inbound.name is None:
        raise RpcError(INVALID_PARAMS, "params.name must name a tool", rpc_id=message.id)
    return inbound.name


def routing_headers(inbound: Inbound, message: Message | None) -> list[tuple[str, str]]:
    """The protocol's headers as they go to the upstream: from the body, never from what the caller wrote in headers."""
    if not inbound.modern:
        version = inbound.headers.version
        return [("mcp-protocol-version", version)] if version is not None else []
    if message is None or message.id is None:
        return [("mcp-protocol-version", MODERN)]
    return modern_headers(message, inbound.name)
