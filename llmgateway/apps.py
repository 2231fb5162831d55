"""The LLM gateway's control plane as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class LlmGatewayConfig(AppConfig):
    name = "llmgateway"
    verbose_name = "LLM gateway"

    def ready(self) -> None:
        from llmgateway import catalog, checks, dashboard  # noqa: F401  (checks register themselves)
        from registry.catalog import register_source

        register_source(catalog.entries)
        dashboard.register_panels()
