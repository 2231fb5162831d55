"""Vendors as a table of facts, for both planes: where they answer, what proves the house's account there, what their wire
lacks or adds. Adding a vendor is adding a row to one of the tables; docs/add-a-provider.md says how.

Facts are from the vendors' API references as of November 2026.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

CHAT, RESPONSES, MESSAGES, GEMINI, BEDROCK, COHERE = "openai-chat", "openai-responses", "anthropic", "gemini", "bedrock", "cohere"
"""Names of wire dialects. A provider's dialect `openai` is two of them: which ones a vendor serves is a fact."""


class Facts(NamedTuple):
    """`slug` names the row; the vendor's name in the price catalogue is `prices`, or the same where that is "". `host` is a
    pattern for the whole host name of its API. `base_url` prefills the form; where it holds `<…>` the customer has to fill
    in a name of its own.

    `wires` are the wire dialects that it serves, those first that calls of other dialects are better translated to. `auth`
    is how the credential is sent: bearer, x-api-key, api-key, x-goog-api-key, sigv4 (AWS keys; a plain key goes as bearer),
    google (a service account's token; a plain key goes as x-goog-api-key).

    What its wire lacks or adds, compared to the dialect's own vendor:

    `max_tokens`    the field for the most output tokens (OpenAI chat)
    `developer`     whether messages may have the role developer (OpenAI chat); otherwise system is written
    `lacks`         slots of `conversation.request.Request` (and image_url, file, audio, json_schema, strict) that it refuses
    `adds`          slots that the dialect's own vendor lacks and this one takes: top_k, min_p, cache (cache_control marks on parts)
    `replays`       the message field in which it takes its own earlier reasoning back: "", reasoning_content, reasoning,
                    reasoning_details (OpenAI chat)
    `tool_ids`      the pattern of tool call ids that it insists on: "" (none) or alnum9 (exactly nine letters and digits)
    `usage_option`  whether `stream_options.include_usage` is taken
    `customs`       whether it takes custom tools, whose input is free text
    `counts`        whether it counts a Responses call's input tokens without generating
    `encrypts`      pattern of the models whose reasoning it gives out encrypted, for callers who keep the conversation
    `bills_on`      whether it goes on generating, and billing, when its client leaves: then a stream is drained for its usage
    """

    slug: str
    label: str
    host: str
    base_url: str
    dialect: str = "openai"
    keys_page: str = ""
    local: bool = False
    wires: tuple[str, ...] = (CHAT,)
    auth: str = "bearer"
    max_tokens: str = "max_tokens"
    developer: bool = False
    lacks: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()
    replays: str = ""
    tool_ids: str = ""
    usage_option: bool = True
    bills_on: bool = False
    counts: bool = False
    customs: bool = False
    encrypts: str = ""
    prices: str = ""

    @property
    def price_list(self) -> str:
        return self.prices or self.slug


_BOTH = (CHAT, RESPONSES)
_OPENAI = {
    "wires": (RESPONSES, CHAT),  # what reasons and calls tools at once does so in Responses only
    "max_tokens": "max_completion_tokens",
    "developer": True,
    "customs": True,
    "encrypts": r"(?:o[1-9]|gpt-[5-9]|codex|computer-use)(?!.*chat).*",
}

VENDORS: tuple[Facts, ...] = (
    Facts(
        "openai",
        "OpenAI",
        r"(?:[a-z]{2}\.)?api\.openai\.com",
        "https://api.openai.com/v1",
        keys_page="platform.openai.com/api-keys",
        counts=True,
        **_OPENAI,  # type: ignore[arg-type]
    ),
    Facts(
        "anthropic",
        "Anthropic",
        r"api\.anthropic\.com",
        "https://api.anthropic.com",
        "anthropic",
        "console.anthropic.com/settings/keys",
        wires=(MESSAGES,),
        auth="x-api-key",
    ),
    Facts(
        "google",
        "Google Gemini",
        r"generativelanguage\.googleapis\.com",
        "https://generativelanguage.googleapis.com",
        "gemini",
        "aistudio.google.com/apikey",
        wires=(GEMINI,),
        auth="x-goog-api-key",
    ),
    Facts(
        "google-vertex",
        "Google Vertex AI",
        r"(?:[a-z0-9-]+-)?aiplatform\.googleapis\.com",
        "https://<location>-aiplatform.googleapis.com/v1/projects/<project>/locations/<location>",
        "gemini",
        "console.cloud.google.com/iam-admin/serviceaccounts (a key as JSON)",
        wires=(GEMINI,),
        auth="google",
        prices="google",
    ),
    Facts(
        "aws",
        "Amazon Bedrock",
        r"bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?",
        "https://bedrock-runtime.<region>.amazonaws.com",
        "bedrock",
        "console.aws.amazon.com/bedrock (API keys)",
        wires=(BEDROCK,),
        auth="sigv4",
        bills_on=True,
    ),
    Facts(
        "azure",
        "Azure OpenAI",
        r"[a-z0-9-]+\.(?:openai|cognitiveservices|services\.ai)\.azure\.com",
        "https://<resource>.openai.azure.com/openai/v1",
        keys_page="portal.azure.com (Keys and Endpoint of the resource)",
        auth="api-key",
        **_OPENAI,  # type: ignore[arg-type]
    ),
    Facts(
        "mistral",
        "Mistral",
        r"api\.mistral\.ai",
        "https://api.mistral.ai/v1",
        keys_page="console.mistral.ai/api-keys",
        lacks=frozenset({"logit_bias", "logprobs", "top_logprobs", "user", "stream_options"}),
        tool_ids="alnum9",
        usage_option=False,
    ),
    Facts(
        "groq",
        "Groq",
        r"api\.groq\.com",
        "https://api.groq.com/openai/v1",
        keys_page="console.groq.com/keys",
        wires=_BOTH,
        max_tokens="max_completion_tokens",
        lacks=frozenset({"logit_bias", "logprobs", "top_logprobs", "audio", "modalities", "prediction"}),
        replays="reasoning",
    ),
    Facts(
        "deepseek",
        "DeepSeek",
        r"api\.deepseek\.com",
        "https://api.deepseek.com/v1",
        keys_page="platform.deepseek.com/api_keys",
        wires=_BOTH,
        lacks=frozenset({"image", "file", "audio", "json_schema", "modalities", "seed", "logit_bias", "answers"}),
        replays="reasoning_content",
    ),
    Facts(
        "x-ai",
        "xAI",
        r"api\.x\.ai",
        "https://api.x.ai/v1",
        keys_page="console.x.ai",
        wires=_BOTH,
        lacks=frozenset({"logit_bias", "audio", "modalities", "prediction"}),
        replays="reasoning_content",
    ),
    Facts(
        "openrouter",
        "OpenRouter",
        r"(?:api\.)?openrouter\.ai",
        "https://openrouter.ai/api/v1",
        keys_page="openrouter.ai/settings/keys",
        wires=_BOTH,
        developer=True,
        adds=frozenset({"top_k", "min_p", "cache"}),
        replays="reasoning_details",
    ),
    Facts(
        "cohere",
        "Cohere",
        r"api\.cohere\.(?:com|ai)",
        "https://api.cohere.com",
        "cohere",
        "dashboard.cohere.com/api-keys",
        wires=(COHERE,),
    ),
    Facts(
        "together",
        "Together AI",
        r"api\.together\.(?:xyz|ai)",
        "https://api.together.xyz/v1",
        keys_page="api.together.ai/settings/api-keys",
        adds=frozenset({"top_k", "min_p"}),
        replays="reasoning",
    ),
    Facts(
        "fireworks",
        "Fireworks AI",
        r"api\.fireworks\.ai",
        "https://api.fireworks.ai/inference/v1",
        keys_page="app.fireworks.ai/settings/users/api-keys",
        wires=_BOTH,
        adds=frozenset({"top_k", "min_p"}),
        replays="reasoning_content",
    ),
    Facts(
        "cerebras",
        "Cerebras",
        r"api\.cerebras\.ai",
        "https://api.cerebras.ai/v1",
        keys_page="cloud.cerebras.ai",
        max_tokens="max_completion_tokens",
        lacks=frozenset({"image", "file", "audio", "modalities", "presence_penalty", "frequency_penalty", "logit_bias", "answers"}),
        replays="reasoning",
    ),
    Facts("perplexity", "Perplexity", r"api\.perplexity\.ai", "https://api.perplexity.ai", keys_page="perplexity.ai/settings/api"),
    Facts(
        "moonshotai",
        "Moonshot AI",
        r"api\.moonshot\.(?:ai|cn)",
        "https://api.moonshot.ai/v1",
        keys_page="platform.moonshot.ai",
        replays="reasoning_content",
    ),
    Facts("zai", "Z.AI", r"api\.z\.ai", "https://api.z.ai/api/paas/v4", keys_page="z.ai/manage-apikey", replays="reasoning_content"),
    Facts("voyageai", "Voyage AI", r"api\.voyageai\.com", "https://api.voyageai.com/v1", keys_page="dashboard.voyageai.com"),
)

LOCAL_VENDORS: tuple[Facts, ...] = (
    Facts("ollama", "Ollama", r"ollama", "http://127.0.0.1:11434/v1", local=True, wires=_BOTH, replays="reasoning"),
    Facts(
        "vllm",
        "vLLM",
        r"vllm",
        "http://127.0.0.1:8000/v1",
        local=True,
        wires=_BOTH,
        adds=frozenset({"top_k", "min_p"}),
        replays="reasoning_content",
    ),
)
"""Engines that run in the house: no list price exists for them, an override says what an hour of theirs is worth."""

UNKNOWN: dict[str, Facts] = {
    "openai": Facts("", "", "", "", wires=_BOTH),
    "anthropic": Facts("", "", "", "", "anthropic", wires=(MESSAGES,), auth="x-api-key"),
    "gemini": Facts("", "", "", "", "gemini", wires=(GEMINI,), auth="x-goog-api-key"),
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

_BY_HOST = tuple((re.compile(facts.host), facts) for facts in VENDORS)


def vendor_at(base_url: str) -> Facts | None:
    """The vendor whose API answers at this URL, by its host name alone; None when it is nobody's we know."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((facts for pattern, facts in _BY_HOST if pattern.fullmatch(host)), None)


def facts_of(*, dialect: str, base_url: str, vendor: str = "") -> Facts:
    """The row of who answers at this address, else of the named vendor, where it speaks this provider dialect; else what
    is assumed of any address of the dialect."""
    named = (facts for facts in (*VENDORS, *LOCAL_VENDORS) if vendor and vendor == facts.slug)
    found = vendor_at(base_url) or next(named, None)
    return found if found is not None and found.dialect == dialect else UNKNOWN[dialect]
