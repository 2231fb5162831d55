"""Vendors as a table of facts: adding one is adding a row.

`slug` is the vendor's name in the price catalogue. `host` is a pattern for the whole host name of its API. `base_url`
prefills the form; where it holds `<…>` the customer has to fill in a name of its own. Facts are from the vendors' API
references as of November 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmgateway.choices import Dialect


@dataclass(frozen=True, slots=True)
class Vendor:
    slug: str
    label: str
    host: str
    base_url: str
    dialect: str = Dialect.OPENAI
    keys_page: str = ""
    local: bool = False


VENDORS: tuple[Vendor, ...] = (
    Vendor("openai", "OpenAI", r"(?:[a-z]{2}\.)?api\.openai\.com", "https://api.openai.com/v1", keys_page="platform.openai.com/api-keys"),
    Vendor(
        "anthropic",
        "Anthropic",
        r"api\.anthropic\.com",
        "https://api.anthropic.com",
        Dialect.ANTHROPIC,
        "console.anthropic.com/settings/keys",
    ),
    Vendor(
        "google",
        "Google Gemini",
        r"generativelanguage\.googleapis\.com",
        "https://generativelanguage.googleapis.com",
        Dialect.GEMINI,
        "aistudio.google.com/apikey",
    ),
    Vendor(
        "aws",
        "Amazon Bedrock",
        r"bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com",
        "https://bedrock-runtime.<region>.amazonaws.com",
        Dialect.BEDROCK,
        "console.aws.amazon.com/bedrock (API keys)",
    ),
    Vendor(
        "azure",
        "Azure OpenAI",
        r"[a-z0-9-]+\.(?:openai|cognitiveservices|services\.ai)\.azure\.com",
        "https://<resource>.openai.azure.com/openai/v1",
        keys_page="portal.azure.com (Keys and Endpoint of the resource)",
    ),
    Vendor("mistral", "Mistral", r"api\.mistral\.ai", "https://api.mistral.ai/v1", keys_page="console.mistral.ai/api-keys"),
    Vendor("groq", "Groq", r"api\.groq\.com", "https://api.groq.com/openai/v1", keys_page="console.groq.com/keys"),
    Vendor("deepseek", "DeepSeek", r"api\.deepseek\.com", "https://api.deepseek.com/v1", keys_page="platform.deepseek.com/api_keys"),
    Vendor("x-ai", "xAI", r"api\.x\.ai", "https://api.x.ai/v1", keys_page="console.x.ai"),
    Vendor(
        "openrouter", "OpenRouter", r"(?:api\.)?openrouter\.ai", "https://openrouter.ai/api/v1", keys_page="openrouter.ai/settings/keys"
    ),
    Vendor("cohere", "Cohere", r"api\.cohere\.(?:com|ai)", "https://api.cohere.com", Dialect.COHERE, "dashboard.cohere.com/api-keys"),
    Vendor(
        "together",
        "Together AI",
        r"api\.together\.(?:xyz|ai)",
        "https://api.together.xyz/v1",
        keys_page="api.together.ai/settings/api-keys",
    ),
    Vendor(
        "fireworks",
        "Fireworks AI",
        r"api\.fireworks\.ai",
        "https://api.fireworks.ai/inference/v1",
        keys_page="app.fireworks.ai/settings/users/api-keys",
    ),
    Vendor("cerebras", "Cerebras", r"api\.cerebras\.ai", "https://api.cerebras.ai/v1", keys_page="cloud.cerebras.ai"),
    Vendor("perplexity", "Perplexity", r"api\.perplexity\.ai", "https://api.perplexity.ai", keys_page="perplexity.ai/settings/api"),
    Vendor("moonshotai", "Moonshot AI", r"api\.moonshot\.(?:ai|cn)", "https://api.moonshot.ai/v1", keys_page="platform.moonshot.ai"),
    Vendor("zai", "Z.AI", r"api\.z\.ai", "https://api.z.ai/api/paas/v4", keys_page="z.ai/manage-apikey"),
    Vendor("voyageai", "Voyage AI", r"api\.voyageai\.com", "https://api.voyageai.com/v1", keys_page="dashboard.voyageai.com"),
)

LOCAL_VENDORS: tuple[Vendor, ...] = (
    Vendor("ollama", "Ollama", r"ollama", "http://127.0.0.1:11434/v1", local=True),
    Vendor("vllm", "vLLM", r"vllm", "http://127.0.0.1:8000/v1", local=True),
)
"""Engines that run in the house: no list price exists for them, an override says what an hour of theirs is worth."""

_PATTERNS = tuple((re.compile(vendor.host), vendor) for vendor in VENDORS)


def guess_vendor(base_url: str) -> str:
    """Slug of the vendor whose API answers at this URL, by its host name alone; "" when it is nobody's we know."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((vendor.slug for pattern, vendor in _PATTERNS if pattern.fullmatch(host)), "")
