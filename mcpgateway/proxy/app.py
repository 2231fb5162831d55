"""The MCP gateway's addresses, and how a call to `/mcp/{slug}` is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.asgi import Headers, Request
from dataplane.call import Call
from dataplane.errors import HouseError
from dataplane.jsonrpc import INVALID_REQUEST, RpcError, parse
from dataplane.kit import Routes
from dataplane.pipeline import serve
from dataplane.snapshot import KeyRecord, ServerRecord
from dataplane.store import Snapshot
from mcpgateway.proxy.call import Inbound
from mcpgateway.proxy.eras import check_modern, is_modern, named, read_headers
from mcpgateway.proxy.origins import Origins
from mcpgateway.proxy.refusals import RPC_ID, no_such_server, not_allowed, refuse
from mcpgateway.proxy.servers import ServerTarget, server_call
from mcpgateway.proxy.sessions import Sessions
from mcpgateway.proxy.toolsets import Toolsets, ToolsetTarget

if TYPE_CHECKING:
    from dataplane.kit import Kit

PREFIX = "/mcp/"
JSON = "application/json"


class McpGateway:
    """Every MCP server and toolset of the house."""

    plane = "mcp"

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._toolsets = Toolsets()
        self._sessions: Sessions | None = None

    async def handle(self, kit: Kit, request: Request) -> None:
        await serve(kit, self, request)

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        headers = read_headers(request.headers, request.raw_headers)
        self._origins.check(origin=headers.origin, host=headers.host)
        slug = request.path[len(PREFIX) :].removesuffix("/")
        section = snapshot.mcp.get(slug)
        if section is None:
            raise no_such_server()
        if self._sessions is None:
            self._sessions = Sessions(kit.sealer)
        inbound = Inbound(kit, key, snapshot, slug=slug, method=request.method, headers=headers, sessions=self._sessions)
        target: ServerTarget | ToolsetTarget
        if isinstance(section, ServerRecord):
            target = server_call(section, inbound)
        else:
            target = self._toolsets.open(section, inbound)
        await _read(request, inbound)
        return await target.call(request)

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return refuse(request, error)


async def _read(request: Request, inbound: Inbound) -> None:
    """Takes the message in and decides the era. Raises RpcError or HouseError for what is no message of either era."""
    headers = inbound.headers
    if request.method != "POST":
        inbound.modern = is_modern(headers, None)
        if inbound.modern or request.method not in ("GET", "DELETE"):
            raise not_allowed("POST") if inbound.modern else not_allowed("GET", "POST", "DELETE")
        return
    if (headers.content_type or "").partition(";")[0].strip().lower() != JSON:
        raise HouseError("Content-Type must be application/json.", status=415, code="unsupported_media_type")
    message = parse(await request.body())
    request.scope[RPC_ID] = message.id
    inbound.message = message
    inbound.modern = is_modern(headers, message)
    if message.method and message.id is None and not message.method.startswith("notifications/"):
        raise RpcError(INVALID_REQUEST, "a request needs an id: only notifications go without")
    if inbound.modern:
        if not message.method:
            raise RpcError(INVALID_REQUEST, "responses are not sent in this protocol version", rpc_id=message.id)
        inbound.name = check_modern(message, headers)
    elif message.id is not None and message.method:
        inbound.name = named(message)


def routes(*, public_url: str, hosts: tuple[str, ...] = ()) -> Routes:
    """`public_url` is the house's own address and `hosts` its further names: pages of other origins are refused."""
    gateway = McpGateway(Origins(public_url=public_url, hosts=hosts))
    return Routes(exact={}, prefixes=((PREFIX, gateway.handle),))
