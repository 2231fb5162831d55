"""Addresses of known vendors that speak Anthropic's Messages: Claude Code's calls pass there as they are.

Each is a further row of a vendor of `vendor_table`, named after it, with its host and its prices.
"""

from __future__ import annotations

from llmgateway.proxy.facts import MESSAGES, Facts, names

AZURE = r"[a-z0-9-]+\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)"

ANTHROPIC_COMPATIBLE: tuple[Facts, ...] = (
    Facts(
        "azure-anthropic",
        "Microsoft Foundry, Claude",
        AZURE,
        "https://<resource>.services.ai.azure.com/anthropic",
        "anthropic",
        "portal.azure.com (Keys and Endpoint of the resource)",
        docs="platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry",
        wires=(MESSAGES,),
        auth="x-api-key",
        counts=True,
        prices="azure",
    ),
    Facts(
        "deepseek-anthropic",
        "DeepSeek, Anthropic-compatible",
        r"api\.deepseek\.com",
        "https://api.deepseek.com/anthropic",
        "anthropic",
        "platform.deepseek.com/api_keys",
        docs="api-docs.deepseek.com/guides/anthropic_api",
        wires=(MESSAGES,),
        auth="x-api-key",
        lacks=names("top_k"),
        prices="deepseek",
    ),
    Facts(
        "openrouter-anthropic",
        "OpenRouter, Anthropic-compatible",
        r"(?:api\.)?openrouter\.ai",
        "https://openrouter.ai/api",
        "anthropic",
        "openrouter.ai/settings/keys",
        docs="openrouter.ai/docs/guides/coding-agents/claude-code-integration",
        wires=(MESSAGES,),
        prices="openrouter",
    ),
    Facts(
        "fireworks-anthropic",
        "Fireworks AI, Anthropic-compatible",
        r"(?:us\.)?api\.fireworks\.ai",
        "https://api.fireworks.ai/inference",
        "anthropic",
        "app.fireworks.ai/settings/users/api-keys",
        docs="docs.fireworks.ai/tools-sdks/anthropic-compatibility",
        wires=(MESSAGES,),
        prices="fireworks",
    ),
    Facts(
        "moonshotai-anthropic",
        "Moonshot AI, Anthropic-compatible",
        r"api\.moonshot\.(?:ai|cn)",
        "https://api.moonshot.ai/anthropic",
        "anthropic",
        "platform.moonshot.ai",
        docs="platform.kimi.ai/docs/api/overview",
        wires=(MESSAGES,),
        prices="moonshotai",
    ),
    Facts(
        "zai-anthropic",
        "Z.AI, Anthropic-compatible",
        r"api\.z\.ai|open\.bigmodel\.cn",
        "https://api.z.ai/api/anthropic",
        "anthropic",
        "z.ai/manage-apikey",
        docs="docs.z.ai/devpack/tool/claude",
        wires=(MESSAGES,),
        prices="zai",
    ),
)
