"""The LLM gateway's control plane as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class LlmGatewayConfig(AppConfig):
    name = "llmgateway"
    verbose_name = "LLM gateway"

    def ready(self) -> None:
        from llmgateway import checks  # noqa: F401
