"""MCP servers to stand behind the gateway: real ones built with the MCP SDK, and one on raw HTTP that says what it is told.

`house_of_tools()` makes a server; `dual_era`, `legacy_only`, `legacy_stateless` and `modern_only` put it on HTTP. Serve
with `lifespan=True`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from tests.fakes.recording import Recorder

App = Callable[..., Any]
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}


def standard_tools() -> list[types.Tool]:
    """What every such server offers. Definitions may be changed by a test: the server lists what is in `tools` now."""
    return [
        types.Tool(
            name="get_forecast",
            title="Forecast",
            description="The weather of a city.",
            input_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            annotations=types.ToolAnnotations(read_only_hint=True),
        ),
        types.Tool(name="echo", description="Says it again.", input_schema=TEXT),
        types.Tool(name="fail", description="Always fails.", input_schema=EMPTY),
        types.Tool(name="count", description="Reports progress to three.", input_schema=EMPTY),
        types.Tool(name="hold", description="Answers when it is let go.", input_schema=EMPTY),
        types.Tool(name="ask", description="Asks the caller for a name.", input_schema=EMPTY),
    ]


@dataclass
class Tools:
    """A server's tools and what a test may do to them while it runs. `held` counts calls that wait in `hold`."""

    tools: list[types.Tool] = field(default_factory=standard_tools)
    held: int = 0
    cancelled: int = 0
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    _release: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def let_go(self) -> None:
        """Ends every `hold`. May be called from any thread, once the server was called."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._release.set)

    def publish(self, event: ServerEvent) -> None:
        """Tells those who listen. May be called from any thread, once somebody has listened."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self.bus.publish(event), self._loop).result(10)

    async def listen(self, ctx: Any, params: types.SubscriptionsListenRequestParams) -> types.SubscriptionsListenResult:
        self._loop = asyncio.get_running_loop()
        return await ListenHandler(self.bus)(ctx, params)

    def named(self, name: str) -> types.Tool:
        return next(tool for tool in self.tools if tool.name == name)

    async def list_tools(self, ctx: ServerRequestContext[Any], params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self.tools)

    async def call(self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        handler = getattr(self, f"_{params.name}", None)
        if handler is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
        result: types.CallToolResult = await handler(ctx, params.arguments or {})
        return result

    async def _get_forecast(self, ctx: Any, arguments: dict[str, Any]) -> types.CallToolResult:
        return _text(f"Sunny in {arguments['city']}")

    async def _echo(self, ctx: Any, arguments: dict[str, Any]) -> types.CallToolResult:
        return _text(arguments["text"])

    async def _fail(self, ctx: Any, arguments: dict[str, Any]) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text="it broke")], is_error=True)

    async def _count(self, ctx: ServerRequestContext[Any], arguments: dict[str, Any]) -> types.CallToolResult:
        for step in (1, 2, 3):
            await ctx.session.report_progress(step, 3, f"step {step}")
        return _text("counted")

    async def _hold(self, ctx: Any, arguments: dict[str, Any]) -> types.CallToolResult:
        self._loop = asyncio.get_running_loop()
        self.held += 1
        try:
            await self._release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return _text("released")

    async def _ask(self, ctx: ServerRequestContext[Any], arguments: dict[str, Any]) -> types.CallToolResult:
        schema: Any = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        answer = await ctx.session.elicit_form("Who are you?", schema, related_request_id=ctx.request_id)
        return _text(f"Hello {(answer.content or {}).get('name')}")


def _text(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


def house_of_tools(tools: Tools | None = None, *, name: str = "weather") -> Server[Any]:
    """A server with tools, one prompt and one resource."""
    tools = tools or Tools()

    async def list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[types.Prompt(name="greet", description="A greeting.")])

    async def get_prompt(ctx: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=types.TextContent(type="text", text="Hello"))])

    async def list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[types.Resource(name="map", uri="memo://map")])

    async def read_resource(ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=params.uri, text="here be dragons")])

    return Server(
        name,
        version="1.0.0",
        on_list_tools=tools.list_tools,
        on_call_tool=tools.call,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
        on_subscriptions_listen=tools.listen,
    )


def dual_era(server: Server[Any], **options: Any) -> Recorder:
    """Speaks both eras on /mcp."""
    return Recorder(server.streamable_http_app(**options))


def legacy_only(server: Server[Any], **options: Any) -> Recorder:
    """Speaks the sessions era only, and refuses a newer version as servers of that era do."""
    app = server.streamable_http_app(**options)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        version = _header(scope, b"mcp-protocol-version")
        if version is None or version in HANDSHAKE_PROTOCOL_VERSIONS:
            await app(scope, receive, send)
            return
        error = {"code": -32600, "message": f"Bad Request: Unsupported protocol version: {version}"}
        await _json(send, 400, {"jsonrpc": "2.0", "id": "server-error", "error": error})

    return Recorder(guarded)


def legacy_stateless(server: Server[Any]) -> Recorder:
    return legacy_only(server, stateless_http=True, json_response=True)


def modern_only(server: Server[Any], **options: Any) -> Recorder:
    """Speaks 2026-07-28 only: no handshake, no GET, no DELETE."""
    app = server.streamable_http_app(**options)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _header(scope, b"mcp-protocol-version") in MODERN_PROTOCOL_VERSIONS:
            await app(scope, receive, send)
        elif scope["method"] != "POST":
            await _json(send, 405, {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Method Not Allowed"}})
        else:
            data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": "2025-11-25"}
            error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
            await _json(send, 400, {"jsonrpc": "2.0", "id": None, "error": error})

    return Recorder(guarded)


@dataclass
class Reply:
    """An answer of the raw server: `body` whole, or `chunks` one by one with `hang` keeping it open after them."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    hang: bool = False


Script = Callable[[dict[str, Any], dict[str, str]], Reply | Awaitable[Reply]]


@dataclass
class RawServer:
    """Answers each POST with what `script(message, headers)` returns, bytes and all."""

    script: Script

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        reply = self.script(json.loads(body) if body else {}, headers)
        if isinstance(reply, Awaitable):
            reply = await reply
        await _reply(send, receive, reply)


async def _reply(send: Any, receive: Any, reply: Reply) -> None:
    fields = [(name.encode(), value.encode()) for name, value in {"content-type": reply.content_type, **reply.headers}.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": fields})
    for chunk in reply.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if reply.hang:
        while (await receive())["type"] != "http.disconnect":
            continue
        return
    await send({"type": "http.response.body", "body": reply.body})


def result(message: dict[str, Any], value: Any) -> Reply:
    """A JSON-RPC result of the message."""
    return Reply(body=json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": value}).encode())


def _header(scope: Any, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name), None)


async def _json(send: Any, status: int, value: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})
