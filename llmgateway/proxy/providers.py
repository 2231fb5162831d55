"""Vendors as a table of facts, for both planes: where they answer, what proves the house's account there, what their wire
lacks or adds. Adding a vendor is adding a row to a table of `vendor_table`; docs/add-a-provider.md says how.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from llmgateway.proxy.facts import BEDROCK, CHAT, COHERE, GEMINI, MESSAGES, RESPONSES, Facts
from llmgateway.proxy.local_vendors import LOCAL_VENDORS
from llmgateway.proxy.vendor_table import VENDORS

__all__ = [
    "BEDROCK",
    "CHAT",
    "COHERE",
    "GEMINI",
    "LOCAL_VENDORS",
    "MESSAGES",
    "OPERATIONS",
    "RESPONSES",
    "UNKNOWN",
    "VENDORS",
    "Facts",
    "facts_of",
    "predicts",
    "vendor_at",
]

UNKNOWN: dict[str, Facts] = {
    "openai": Facts("", "", "", "", wires=(CHAT, RESPONSES)),
    "anthropic": Facts("", "", "", "", "anthropic", wires=(MESSAGES,), auth="x-api-key", counts=True),
    "gemini": Facts("", "", "", "", "gemini", wires=(GEMINI,), auth="x-goog-api-key", counts=True),
    "bedrock": Facts("", "", "", "", "bedrock", wires=(BEDROCK,), auth="sigv4", bills_on=True),
    "cohere": Facts("", "", "", "", "cohere", wires=(COHERE,)),
}
"""By provider dialect, of a vendor that no row tells of: any compatible address."""

OPERATIONS: dict[str, dict[str, str]] = {
    "openai": {
        "embed": "openai-embeddings",
        "rerank": "openai-rerank",
        "count": "openai-input-tokens",
        "images": "openai-images",
        "speech": "openai-speech",
        "transcription": "openai-transcription",
        "moderation": "openai-moderation",
    },
    "anthropic": {"count": "anthropic-count"},
    "gemini": {"embed": "gemini-embed", "count": "gemini-count"},
    "bedrock": {},
    "cohere": {"embed": "cohere-embed", "rerank": "cohere-rerank"},
}
"""The wires of what is not generation, by provider dialect and operation."""


def predicts(facts: Facts, model: str) -> bool:
    """Whether vectors of this model are made by `predict` alone: so does Vertex AI with all that came before Gemini's."""
    return facts.slug == "google-vertex" and "gemini" not in model and "maas" not in model


_BY_HOST = tuple((re.compile(facts.host), facts) for facts in VENDORS)


def _rows_at(base_url: str) -> list[Facts]:
    host = (urlsplit(base_url).hostname or "").lower()
    return [facts for pattern, facts in _BY_HOST if pattern.fullmatch(host)]


def vendor_at(base_url: str) -> Facts | None:
    """The vendor whose API answers at this URL, by its host name alone; None when it is nobody's we know. Where a host
    speaks several provider dialects it is the first row's."""
    return next(iter(_rows_at(base_url)), None)


def facts_of(*, dialect: str, base_url: str, vendor: str = "") -> Facts:
    """The row of who answers at this address, else of the named vendor (by its row or by its price list), where it speaks
    this provider dialect; else what is assumed of any address of the dialect."""
    named = (facts for facts in (*VENDORS, *LOCAL_VENDORS) if vendor and vendor in (facts.slug, facts.prices))
    found = _rows_at(base_url) or named
    return next((facts for facts in found if facts.dialect == dialect), UNKNOWN[dialect])
