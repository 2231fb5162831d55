"""How coding tools are set up to work with a model of the house.

Sources: the tools' own documentation as of November 2026 (Claude Code: environment variables and LLM gateways; Codex:
config.toml, where `responses` is the only wire left; Gemini CLI; OpenCode; Continue; aider).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from llmgateway.proxy.providers import CHAT, GEMINI, MESSAGES, RESPONSES
from llmgateway.snippet import KEY_VARIABLE, TOOLS, Served, Snippet


def tools(model: Served) -> list[Snippet]:
    """Those whose own dialect the model can be called in."""
    return [make(model) for wire, make in _TOOLS if model.takes(wire)]


def _claude_code(model: Served) -> Snippet:
    lines = [
        f'export ANTHROPIC_BASE_URL="{model.root}"',
        f'export ANTHROPIC_AUTH_TOKEN="${KEY_VARIABLE}"',
        f'export ANTHROPIC_MODEL="{model.model}"',
        f'export ANTHROPIC_DEFAULT_HAIKU_MODEL="{model.model}"',
        f'export CLAUDE_CODE_SUBAGENT_MODEL="{model.model}"',
    ]
    note = (
        "In the shell that starts it, or under “env” in ~/.claude/settings.json; without ANTHROPIC_API_KEY. The small model may be another."
    )
    if MESSAGES in model.wires:
        note += " It gives thinking back only to a model that is called here as Anthropic calls it."
    else:
        # What is in beta at Anthropic has no meaning at another vendor.
        lines.append("export CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS=1")
    return Snippet("claude-code", "Claude Code", TOOLS, "shell", note, "\n".join([*lines, "claude"]))


def _codex(model: Served) -> Snippet:
    # On by default, and run by OpenAI: no other vendor's model can be offered it.
    search = "" if RESPONSES in model.wires else 'web_search = "disabled"\n'
    text = f"""\
model = "{model.model}"
model_provider = "customhouse"
{search}
[model_providers.customhouse]
name = "Customhouse"
base_url = "{model.root}/v1"
env_key = "{KEY_VARIABLE}"
wire_api = "responses\""""
    return Snippet("codex", "Codex", TOOLS, "toml", "In ~/.codex/config.toml.", text)


def _gemini_cli(model: Served) -> Snippet:
    text = f"""\
export GOOGLE_GEMINI_BASE_URL="{model.root}"
export GEMINI_API_KEY="${KEY_VARIABLE}"
gemini --model "{model.model}\""""
    note = "Choose “Use Gemini API key” when it asks how to sign in: only then it calls the address that is set."
    return Snippet("gemini-cli", "Gemini CLI", TOOLS, "shell", note, text)


def _opencode(model: Served) -> Snippet:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Customhouse",
        "options": {"baseURL": f"{model.root}/v1", "apiKey": f"{{env:{KEY_VARIABLE}}}"},
        "models": {model.model: {"name": model.model}},
    }
    config = {"$schema": "https://opencode.ai/config.json", "model": f"customhouse/{model.model}", "provider": {"customhouse": provider}}
    return Snippet(
        "opencode", "OpenCode", TOOLS, "json", "In opencode.json, of the project or in ~/.config/opencode.", json.dumps(config, indent=2)
    )


def _continue(model: Served) -> Snippet:
    text = f"""\
name: Customhouse
version: 0.0.1
schema: v1
models:
  - name: {json.dumps(model.model)}
    provider: openai
    model: {json.dumps(model.model)}
    apiBase: {model.root}/v1
    apiKey: ${{{{ secrets.{KEY_VARIABLE} }}}}
    roles: [chat, edit, apply]"""
    note = f"VS Code and JetBrains: in ~/.continue/config.yaml, with the key as {KEY_VARIABLE} in ~/.continue/.env."
    return Snippet("continue", "Continue", TOOLS, "yaml", note, text)


def _cursor(model: Served) -> Snippet:
    text = f"Override OpenAI Base URL   {model.root}/v1\nOpenAI API Key             (your key)\nAdd custom model           {model.model}"
    note = "In Settings, Models, API Keys. Cursor's own servers make the calls, so the house needs a public address."
    return Snippet("cursor", "Cursor", TOOLS, "text", note, text)


def _aider(model: Served) -> Snippet:
    text = f"""\
export OPENAI_API_BASE="{model.root}/v1"
export OPENAI_API_KEY="${KEY_VARIABLE}"
aider --model "openai/{model.model}\""""
    return Snippet("aider", "aider", TOOLS, "shell", "In the project's folder.", text)


_TOOLS: tuple[tuple[str, Callable[[Served], Snippet]], ...] = (
    (MESSAGES, _claude_code),
    (RESPONSES, _codex),
    (GEMINI, _gemini_cli),
    (CHAT, _opencode),
    (CHAT, _continue),
    (CHAT, _cursor),
    (CHAT, _aider),
)
