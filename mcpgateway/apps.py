"""The MCP gateway's control plane as a Django app: it has no tables, servers and toolsets are the registry's."""

from __future__ import annotations

from django.apps import AppConfig


class McpGatewayConfig(AppConfig):
    name = "mcpgateway"
    verbose_name = "MCP gateway"
