"""The closed lists of the LLM gateway's control plane. Values are stored, published and written in config files."""

from __future__ import annotations

from django.db import models


class Dialect(models.TextChoices):
    """The wire language of a provider. A vendor that offers an OpenAI-compatible address is `openai`."""

    OPENAI = "openai", "OpenAI (and compatible)"
    ANTHROPIC = "anthropic", "Anthropic Messages"
    GEMINI = "gemini", "Google Gemini"
    BEDROCK = "bedrock", "Amazon Bedrock"
    COHERE = "cohere", "Cohere v2"


class Strategy(models.TextChoices):
    """How calls are shared among the deployments of a model that have the same priority."""

    WEIGHTED = "weighted", "Weighted shares"
    PRIORITY = "priority", "Strict order: priority, then weight"
    COST = "cost", "Cheapest first"


class Health(models.TextChoices):
    """What the last checks of a provider say. One failed check makes it degraded, several in a row make it down."""

    UNKNOWN = "unknown", "Not checked"
    HEALTHY = "healthy", "Healthy"
    DEGRADED = "degraded", "Degraded"
    DOWN = "down", "Down"
