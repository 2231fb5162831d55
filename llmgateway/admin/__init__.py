"""The admin of the LLM gateway: providers with their health and offers, models with their routes and prices."""

from llmgateway.admin.models import ModelAdmin
from llmgateway.admin.providers import ProviderAdmin

__all__ = ["ModelAdmin", "ProviderAdmin"]
