"""Claude Code as a caller: the shape of what it sends (version 2.1), in other words than its own."""

from __future__ import annotations

from typing import Any

import anthropic

from tests.llmgateway.agents.acting import PIXEL, Names, Steps

NAMES = Names(run="Bash", command="command", patch="Write", look="Read", free=False)
BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,thinking-token-count-2026-05-13,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24"
)
HEADERS = {
    "user-agent": "claude-cli/2.1.197 (external, sdk-cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "20fec127-0c31-44b4-87f3-c4472acd8c23",
    "anthropic-dangerous-direct-browser-access": "true",
    "anthropic-version": "2023-06-01",
}
MARK = {"type": "ephemeral"}


def tool(name: str, **properties: Any) -> dict[str, Any]:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"name": name, "description": f"Does what {name} does.", "input_schema": schema}


TEXT = {"type": "string"}
TOOLS = [tool("Bash", command=TEXT), tool("Read", path=TEXT), tool("Write", content=TEXT)]


def body(model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "model": model,
        "messages": messages,
        "system": [
            {"type": "text", "text": "x-billing: cli"},
            {"type": "text", "text": "You are an agent.", "cache_control": MARK},
            {"type": "text", "text": "Work carefully.", "cache_control": MARK},
        ],
        "tools": TOOLS,
        "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stream": True,
    }


def opening() -> list[dict[str, Any]]:
    reminder = {"type": "text", "text": "<system-reminder>Today is Friday.</system-reminder>"}
    return [
        {"role": "user", "content": [reminder, {"type": "text", "text": "Work through it."}]},
        {"role": "system", "content": "Agents are on offer."},
    ]


class ClaudeCode:
    """Works until the model calls nothing more. `betas` are sent unless they are turned off, as for another vendor's model."""

    def __init__(self, url: str, key: str, *, betas: bool) -> None:
        self._client = anthropic.Anthropic(base_url=url, auth_token=key, max_retries=0)
        self.headers = {**HEADERS, **({"anthropic-beta": BETAS} if betas else {})}
        self._betas = betas
        self.dropped: list[str] = []

    def close(self) -> None:
        self._client.close()

    def ask(self, model: str, messages: list[dict[str, Any]]) -> anthropic.types.Message:
        asked = body(model, marked(messages))
        if not self._betas:
            del asked["context_management"]
        with self._client.messages.stream(
            max_tokens=1, messages=[], model=model, extra_body=asked, extra_headers=self.headers, extra_query={"beta": "true"}
        ) as stream:
            self.dropped = [name for name in stream.response.headers.get("x-customhouse-dropped", "").split(", ") if name]
            return stream.get_final_message()

    def work(self, model: str, steps: int) -> str:
        messages, tools = opening(), Steps(NAMES)
        for _ in range(steps + 1):
            said = self.ask(model, messages)
            # It takes back no thinking of a model that answers under another name.
            kept = [block.to_dict() for block in said.content if block.type != "thinking" or said.model == model]
            messages.append({"role": "assistant", "content": kept})
            calls = [block for block in said.content if block.type == "tool_use"]
            if not calls:
                return "".join(block.text for block in said.content if block.type == "text")
            results = [result(call.id, tools, call.name, call.input) for call in calls]
            messages.append({"role": "user", "content": results[::-1]})  # as they end
        raise AssertionError("the model never came to its end")


def result(call: str, tools: Steps, name: str, arguments: Any) -> dict[str, Any]:
    answered = tools.run(name, arguments)
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    content: Any = [picture] if answered.image else answered.text
    failed = {"is_error": True} if answered.failed else {}
    return {"type": "tool_result", "tool_use_id": call, "content": content, **failed}


def marked(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With a cache marker on the last part of the user's."""
    place = max(number for number, message in enumerate(messages) if message["role"] == "user")
    *before, last = messages[place]["content"]
    content = [*before, {**last, "cache_control": MARK}]
    return [*messages[:place], {**messages[place], "content": content}, *messages[place + 1 :]]
