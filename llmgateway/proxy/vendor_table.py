"""The vendors that the house knows: one row each, and further rows for further provider dialects of theirs.

From the vendors' API references and the types of their official clients, as of November 2026; what recorded exchanges show
comes first. Where sources disagree the cautious value stands, with a word on it.
"""

from __future__ import annotations

from llmgateway.proxy.anthropic_compatible import ANTHROPIC_COMPATIBLE, AZURE
from llmgateway.proxy.facts import BEDROCK, CHAT, COHERE, GEMINI, MESSAGES, RESPONSES, Facts, names

_BOTH = (CHAT, RESPONSES)
_AWS = r"[a-z0-9-]+\.(?:amazonaws\.(?:com(?:\.cn)?|eu)|api\.aws)"
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
        docs="platform.openai.com/docs/api-reference",
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
        docs="platform.claude.com/docs/en/api/messages",
        counts=True,
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
        docs="ai.google.dev/api/generate-content",
        counts=True,
        wires=(GEMINI,),
        auth="x-goog-api-key",
    ),
    # A region's host has the region in front, the global one nothing, those of several regions end in .rep.googleapis.com.
    Facts(
        "google-vertex",
        "Google Vertex AI",
        r"(?:[a-z0-9-]+-)?aiplatform(?:\.[a-z]+\.rep)?\.googleapis\.com",
        "https://<location>-aiplatform.googleapis.com/v1/projects/<project>/locations/<location>",
        "gemini",
        "console.cloud.google.com/iam-admin/serviceaccounts (a key as JSON)",
        docs="docs.cloud.google.com/vertex-ai/docs/generative-ai/learn/locations",
        counts=True,
        wires=(GEMINI,),
        auth="google",
        prices="google",
    ),
    Facts(
        "aws",
        "Amazon Bedrock",
        rf"bedrock-runtime(?:-fips)?\.{_AWS}",
        "https://bedrock-runtime.<region>.amazonaws.com",
        "bedrock",
        "console.aws.amazon.com/bedrock (API keys)",
        docs="docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        wires=(BEDROCK,),
        auth="sigv4",
        bills_on=True,
    ),
    # Which of both wires a model speaks is told per model; signed requests are another service's on the second host.
    Facts(
        "aws-openai",
        "Amazon Bedrock, OpenAI-compatible",
        rf"bedrock-(?:runtime(?:-fips)?|mantle)\.{_AWS}",
        "https://bedrock-runtime.<region>.amazonaws.com/openai/v1",
        keys_page="console.aws.amazon.com/bedrock (API keys)",
        docs="docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html",
        wires=_BOTH,
        max_tokens="max_completion_tokens",
        bills_on=True,
        prices="aws",
    ),
    Facts(
        "azure",
        "Azure OpenAI",
        AZURE,
        "https://<resource>.openai.azure.com/openai/v1",
        keys_page="portal.azure.com (Keys and Endpoint of the resource)",
        docs="learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
        auth="api-key",
        **_OPENAI,  # type: ignore[arg-type]
    ),
    # Whatever is no field of its own is refused (422), the usage option and names of participants too. Responses is a
    # preview, and keeps nothing.
    Facts(
        "mistral",
        "Mistral",
        r"api\.mistral\.ai",
        "https://api.mistral.ai/v1",
        keys_page="console.mistral.ai/api-keys",
        docs="docs.mistral.ai/api",
        wires=_BOTH,
        lacks=names("logit_bias user name audio modalities verbosity"),
        responses_lacks=names("logprobs top_logprobs"),
        adds=names("top_k"),
        tool_ids="alnum9",
        usage_option=False,
        counts=True,
    ),
    # Of the penalties it says that no model heeds them; names, log probabilities and logit bias are answered 400.
    Facts(
        "groq",
        "Groq",
        r"api\.groq\.com",
        "https://api.groq.com/openai/v1",
        keys_page="console.groq.com/keys",
        docs="console.groq.com/docs/openai",
        wires=_BOTH,
        max_tokens="max_completion_tokens",
        developer=True,
        lacks=names(
            "logit_bias logprobs top_logprobs name answers presence_penalty frequency_penalty file audio modalities prediction verbosity"
        ),
        replays="reasoning",
    ),
    # Its user goes by another name. Schemas of answers are refused in a chat and held to in Responses.
    Facts(
        "deepseek",
        "DeepSeek",
        r"api\.deepseek\.com",
        "https://api.deepseek.com",
        keys_page="platform.deepseek.com/api_keys",
        docs="api-docs.deepseek.com/api/create-chat-completion",
        wires=_BOTH,
        lacks=names("file audio modalities prediction seed logit_bias answers user verbosity"),
        chat_lacks=names("json_schema"),
        replays="reasoning_content",
    ),
    # Chat is deprecated and has no place for earlier reasoning. Penalties are refused even where they are 0. Stop sequences
    # are refused by the models that reason, which its references do not agree on.
    Facts(
        "x-ai",
        "xAI",
        r"(?:[a-z0-9-]+\.)?api\.x\.ai",
        "https://api.x.ai/v1",
        keys_page="console.x.ai",
        docs="docs.x.ai/developers/model-capabilities/text/comparison",
        wires=(RESPONSES, CHAT),
        max_tokens="max_completion_tokens",
        lacks=names("logit_bias audio modalities prediction presence_penalty frequency_penalty verbosity service_tier"),
        chat_lacks=names("file"),
        responses_lacks=names("logprobs top_logprobs"),
        encrypts=r"grok-(?!.*non-reasoning).*",
    ),
    # Its Responses keep nothing: a call that asks for storing, or names an earlier answer, is refused.
    Facts(
        "openrouter",
        "OpenRouter",
        r"(?:api\.)?openrouter\.ai",
        "https://openrouter.ai/api/v1",
        keys_page="openrouter.ai/settings/keys",
        docs="openrouter.ai/docs/api_reference/overview",
        wires=_BOTH,
        developer=True,
        adds=names("top_k min_p cache"),
        replays="reasoning_details",
    ),
    Facts(
        "cohere",
        "Cohere",
        r"api\.cohere\.(?:com|ai)",
        "https://api.cohere.com",
        "cohere",
        "dashboard.cohere.com/api-keys",
        docs="docs.cohere.com/reference/chat",
        wires=(COHERE,),
    ),
    # It serves Responses too, but to a few of its models: others may answer malformed, so calls of it are translated. Log
    # probabilities are a number there.
    Facts(
        "together",
        "Together AI",
        r"api\.together\.(?:xyz|ai)",
        "https://api.together.ai/v1",
        keys_page="api.together.ai/settings/api-keys",
        docs="docs.together.ai/reference/chat-completions-1",
        lacks=names("logprobs top_logprobs file modalities prediction verbosity"),
        adds=names("top_k min_p"),
        replays="reasoning",
    ),
    Facts(
        "fireworks",
        "Fireworks AI",
        r"(?:us\.)?api\.fireworks\.ai",
        "https://api.fireworks.ai/inference/v1",
        keys_page="app.fireworks.ai/settings/users/api-keys",
        docs="docs.fireworks.ai/api-reference/post-chatcompletions",
        wires=_BOTH,
        lacks=names("file audio modalities verbosity"),
        adds=names("top_k min_p"),
        replays="reasoning_content",
    ),
    # Its client's types have penalties, logit bias and several answers, its page on compatibility answers them 400.
    Facts(
        "cerebras",
        "Cerebras",
        r"api\.cerebras\.ai",
        "https://api.cerebras.ai/v1",
        keys_page="cloud.cerebras.ai",
        docs="inference-docs.cerebras.ai/api-reference/chat-completions",
        max_tokens="max_completion_tokens",
        lacks=names("file audio modalities presence_penalty frequency_penalty logit_bias answers verbosity"),
        replays="reasoning",
    ),
    # Chat ended in September 2026. What is left takes no field that it does not know, such as the shape of an answer in the
    # place where OpenAI has it.
    Facts(
        "perplexity",
        "Perplexity",
        r"api\.perplexity\.ai",
        "https://api.perplexity.ai/v1",
        keys_page="perplexity.ai/settings/api",
        docs="docs.perplexity.ai/docs/agent-api/openai-compatibility",
        wires=(RESPONSES,),
        lacks=names("format json_schema logprobs top_logprobs file audio verbosity user service_tier cache_key show"),
    ),
    # It serves Responses too, but to its K3 models only: calls of it are translated. Its kimi models fix their samplers.
    Facts(
        "moonshotai",
        "Moonshot AI",
        r"api\.moonshot\.(?:ai|cn)",
        "https://api.moonshot.ai/v1",
        keys_page="platform.moonshot.ai",
        docs="platform.kimi.ai/docs/api/chat",
        max_tokens="max_completion_tokens",
        lacks=names("logit_bias logprobs top_logprobs seed file audio modalities prediction user verbosity"),
        replays="reasoning_content",
    ),
    # A model chooses itself whether it calls a tool; its user goes by another name.
    Facts(
        "zai",
        "Z.AI",
        r"api\.z\.ai|open\.bigmodel\.cn",
        "https://api.z.ai/api/paas/v4",
        keys_page="z.ai/manage-apikey",
        docs="docs.z.ai/api-reference/llm/chat-completion",
        lacks=names("tool_choice json_schema file audio modalities prediction logit_bias logprobs top_logprobs answers user verbosity"),
        replays="reasoning_content",
    ),
    Facts(
        "voyageai",
        "Voyage AI",
        r"api\.voyageai\.com",
        "https://api.voyageai.com/v1",
        keys_page="dashboard.voyageai.com",
        docs="docs.voyageai.com/reference/embeddings-api",
    ),
    *ANTHROPIC_COMPATIBLE,
)
