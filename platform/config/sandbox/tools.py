"""A small MCP server for the tour, in both eras of the protocol, made with the MCP SDK."""

from __future__ import annotations

import hashlib

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from starlette.applications import Starlette

SKIES = ("clear", "cloudy", "light rain", "windy", "fog", "snow showers")
PATH = "/sandbox/mcp"


def application() -> Starlette:
    server = MCPServer("customhouse-sandbox", title="Sandbox", version="1.0.0", instructions="Its weather is made up.", log_level="WARNING")

    @server.tool(title="Made-up forecast", annotations=ToolAnnotations(read_only_hint=True))
    def get_forecast(city: str) -> str:
        """A made-up forecast for a city: the same city always has the same weather."""
        draw = hashlib.sha256(city.casefold().encode()).digest()
        return f"Sandbox weather, not real: {city} has {SKIES[draw[0] % len(SKIES)]}, {draw[1] % 35 - 5} °C."

    @server.tool(title="Echo", annotations=ToolAnnotations(read_only_hint=True))
    def echo(text: str) -> str:
        """Says the text again."""
        return text

    return server.streamable_http_app(streamable_http_path=PATH)
