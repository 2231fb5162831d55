"""The agent gateway's control plane as a Django app: it has no tables, agents are the registry's."""

from __future__ import annotations

from django.apps import AppConfig


class AgentGatewayConfig(AppConfig):
    name = "agentgateway"
    verbose_name = "Agent gateway"
