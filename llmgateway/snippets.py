"""How to call a model: texts to copy, per SDK and coding tool. The key is never in them, only the variable that holds it.

Sources: the SDKs' and tools' own documentation as of November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from llmgateway.choices import Dialect

KEY_VARIABLE = "CUSTOMHOUSE_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """`slug` names the tab, `language` is for highlighting, `note` says where the text goes."""

    slug: str
    title: str
    language: str
    note: str
    text: str


def snippets(*, base_url: str, model: str, dialects: Collection[str], embeds: bool = False) -> list[Snippet]:
    """The ways that suit the model: `dialects` are those of its deployments, `embeds` says that it makes embeddings."""
    root = base_url.rstrip("/")
    if embeds:
        return [_curl_embeddings(root, model), _openai_embeddings(root, model)]
    found: list[Snippet] = []
    if set(dialects) != {Dialect.ANTHROPIC}:
        found += [_curl_chat(root, model), _openai(root, model), _codex(root, model)]
    if Dialect.ANTHROPIC in dialects:
        found += [_curl_messages(root, model), _anthropic(root, model), _claude_code(root, model)]
    return found


def _curl(url: str, headers: list[str], body: object) -> str:
    lines = [f"curl {url}", *(f'  -H "{header}"' for header in [*headers, "content-type: application/json"]), f"  -d '{json.dumps(body)}'"]
    return " \\\n".join(lines)


def _curl_chat(root: str, model: str) -> Snippet:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
    text = _curl(f"-N {root}/v1/chat/completions", [f"authorization: Bearer ${KEY_VARIABLE}"], body)
    return Snippet("curl", "curl", "shell", "Streams the answer as server-sent events.", text)


def _curl_messages(root: str, model: str) -> Snippet:
    body = {"model": model, "max_tokens": 256, "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
    text = _curl(f"-N {root}/v1/messages", [f"x-api-key: ${KEY_VARIABLE}", "anthropic-version: 2023-06-01"], body)
    return Snippet("curl-messages", "curl (Messages)", "shell", "Streams the answer as server-sent events.", text)


def _curl_embeddings(root: str, model: str) -> Snippet:
    text = _curl(f"{root}/v1/embeddings", [f"authorization: Bearer ${KEY_VARIABLE}"], {"model": model, "input": ["Say hello."]})
    return Snippet("curl", "curl", "shell", "One vector for each input.", text)


def _openai(root: str, model: str) -> Snippet:
    text = f"""\
import os
from openai import OpenAI

client = OpenAI(base_url="{root}/v1", api_key=os.environ["{KEY_VARIABLE}"])
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Say hello."}}],
)
print(answer.choices[0].message.content)"""
    return Snippet("openai", "OpenAI SDK", "python", "pip install openai", text)


def _openai_embeddings(root: str, model: str) -> Snippet:
    text = f"""\
import os
from openai import OpenAI

client = OpenAI(base_url="{root}/v1", api_key=os.environ["{KEY_VARIABLE}"])
answer = client.embeddings.create(model="{model}", input=["Say hello."])
print(len(answer.data[0].embedding))"""
    return Snippet("openai", "OpenAI SDK", "python", "pip install openai", text)


def _anthropic(root: str, model: str) -> Snippet:
    text = f"""\
import os
from anthropic import Anthropic

client = Anthropic(base_url="{root}", api_key=os.environ["{KEY_VARIABLE}"])
message = client.messages.create(
    model="{model}",
    max_tokens=256,
    messages=[{{"role": "user", "content": "Say hello."}}],
)
print(message.content[0].text)"""
    return Snippet("anthropic", "Anthropic SDK", "python", "pip install anthropic", text)


def _claude_code(root: str, model: str) -> Snippet:
    text = f"""\
export ANTHROPIC_BASE_URL="{root}"
export ANTHROPIC_AUTH_TOKEN="${KEY_VARIABLE}"
export ANTHROPIC_MODEL="{model}"
claude"""
    return Snippet("claude-code", "Claude Code", "shell", "In the shell that starts Claude Code, or under “env” in its settings.", text)


def _codex(root: str, model: str) -> Snippet:
    text = f"""\
model = "{model}"
model_provider = "customhouse"

[model_providers.customhouse]
name = "Customhouse"
base_url = "{root}/v1"
env_key = "{KEY_VARIABLE}"
wire_api = "responses\""""
    return Snippet("codex", "Codex", "toml", "In ~/.codex/config.toml.", text)
