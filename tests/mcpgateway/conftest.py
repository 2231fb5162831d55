"""A house with the MCP gateway alone, MCP servers behind it, and callers of both eras in front."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from dataplane.snapshot import ServerRecord, ToolRecord, ToolsetMember, ToolsetRecord
from mcpgateway.proxy.app import routes
from registry.canonical import digest
from tests.fakes.house import House
from tests.fakes.mcp_servers import Tools
from tests.fakes.recording import Recorder
from tests.fakes.serving import App, serving

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
BOTH = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
}

T = TypeVar("T")
_ids = itertools.count(1000)


class McpHouse(House):
    """`serve_server` puts an upstream on a socket and registers it under a slug."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, routes=[routes(public_url="http://127.0.0.1:1", hosts=("127.0.0.1", "localhost"))])

    def serve_server(self, slug: str, app: App, *, tools: Iterable[dict[str, Any]], lifespan: bool = True, **more: Any) -> str:
        """Returns the upstream's address; the server is granted to nobody yet."""
        url = self._stack.enter_context(serving(app, lifespan=lifespan)) + "/mcp"
        self.register(slug, url, tools=tools, **more)
        return url

    def register(
        self,
        slug: str,
        url: str,
        *,
        tools: Iterable[dict[str, Any]],
        prices: dict[str, str] | None = None,
        secret: str | None = None,
        **more: Any,
    ) -> None:
        """What the control plane would publish for a server whose `tools` were approved as they are here."""
        number = next(_ids)
        if secret is not None:
            more["credential"] = self.contents.sealer.seal(secret, bound_to=f"registry.server:{number}:credential")
        more.setdefault("allow_private_network", True)
        records = tuple(approved(tool, price=(prices or {}).get(tool["name"])) for tool in tools)
        self.contents.servers[slug] = ServerRecord(id=number, slug=slug, name=f"io.example/{slug}", url=url, tools=records, **more)
        self.publish()

    def toolset(self, slug: str, members: dict[str, tuple[str, str]]) -> None:
        """`members` are public names and where they are served: server, tool."""
        rows = tuple(ToolsetMember(name=name, server=server, tool=tool) for name, (server, tool) in members.items())
        self.contents.servers[slug] = ToolsetRecord(id=next(_ids), slug=slug, name=slug.title(), members=rows)
        self.publish()

    def grant(self, *resources: str, key: str | None = None) -> None:
        """To the house's team, or to the owner of `key` alone."""
        subject = f"team:{self.team}" if key is None else self.contents.keys[key].principal.ref
        self.contents.grant(subject, *resources)
        self.publish()

    def stranger(self, name: str = "stranger") -> str:
        """The key of somebody who is in no team."""
        key = self.contents.key(name)
        self.publish()
        return key

    def post(self, slug: str, message: Any, *, key: str | None = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """One POST as it is: `message` is JSON, or bytes."""
        fields = {"authorization": f"Bearer {key or self.key}", "accept": BOTH, "content-type": "application/json", **(headers or {})}
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.http.post(f"/mcp/{slug}", content=body, headers=fields)

    def modern(self, slug: str, method: str, params: dict[str, Any] | None = None, *, rpc_id: Any = 1, **more: Any) -> httpx.Response:
        """One well-formed message of the stateless era."""
        message, headers = modern_message(method, params, rpc_id=rpc_id)
        return self.post(slug, message, headers={**headers, **more.pop("headers", {})}, **more)

    @staticmethod
    def run(use: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs a coroutine for a test that is not one itself, because it uses the database."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(use())).result()

    @contextlib.asynccontextmanager
    async def sdk(self, slug: str, *, mode: str = "auto", key: str | None = None, **more: Any) -> AsyncIterator[Client]:
        """The MCP SDK's own client, connected through the house."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        url = f"{self.url}/mcp/{slug}"
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, cache=None, **more) as client,
        ):
            yield client


def modern_message(method: str, params: dict[str, Any] | None = None, *, rpc_id: Any = 1) -> tuple[dict[str, Any], dict[str, str]]:
    """A stateless message and the headers that go with it."""
    params = params or {}
    message = {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": {**params, "_meta": {**META, **params.get("_meta", {})}}}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
    named = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(method)
    if named is not None and named in params:
        headers["mcp-name"] = params[named]
    return message, headers


def approved(tool: dict[str, Any], *, price: str | None = None) -> ToolRecord:
    return ToolRecord(name=tool["name"], definition=json.dumps(tool).encode(), digest=digest(tool), price=price)


def definitions(tools: Sequence[types.Tool]) -> list[dict[str, Any]]:
    """The tools as they are on the wire."""
    return [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in tools]


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC error of an answer, whose shape is checked by the way."""
    body = answer.json()
    assert body["jsonrpc"] == "2.0"
    assert answer.headers["content-type"] == "application/json"
    assert body["error"]["data"]["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.fixture
def house(tmp_path: Path) -> Iterator[McpHouse]:
    with McpHouse(tmp_path) as opened:
        yield opened


@pytest.fixture
def tools() -> Tools:
    return Tools()


Put = Callable[..., Recorder]


@pytest.fixture
def put(house: McpHouse, tools: Tools) -> Put:
    """`put(recorder)` serves an SDK server as `weather`, all of its tools approved, the server granted to the team."""

    def put(recorder: Recorder, *, slug: str = "weather", grant: bool = True, **more: Any) -> Recorder:
        house.serve_server(slug, recorder, tools=definitions(tools.tools), **more)
        if grant:
            house.grant(f"server:{slug}")
        return recorder

    return put
