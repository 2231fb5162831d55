"""Codex as a caller: the shape of what it sends (version 0.171), in other words than its own."""

from __future__ import annotations

import json
from typing import Any

import openai

from tests.llmgateway.agents.acting import PIXEL, Names, Steps

NAMES = Names(run="exec_command", command="cmd", patch="apply_patch", look="view_image", free=True)
HEADERS = {
    "user-agent": "codex_exec/0.171.0",
    "originator": "codex_exec",
    "session-id": "01a21f7b-8b10-7be3-a8a3-d391697fee1a",
    "thread-id": "01a21f7b-8b10-7be3-a8a3-d391697fee1a",
    "x-codex-beta-features": "remote_compaction_v2",
}
CACHE_KEY = "01a21f7b-8b10-7be3-a8a3-d391697fee1a"
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" /(.|\\n)+/'}


def function(name: str, field: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {field: {"type": "string"}}, "required": [field], "additionalProperties": False}
    return {"type": "function", "name": name, "description": f"Does what {name} does.", "strict": False, "parameters": schema}


SEARCH = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
TOOLS = [
    function("exec_command", "cmd"),
    {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR},
    function("view_image", "path"),
    {"type": "namespace", "name": "multi_agent_v1", "description": "Agents.", "tools": [function("spawn_agent", "task")]},
    SEARCH,
]
WEB_SEARCH = {"type": "web_search", "external_web_access": True}


def told(role: str, text: str, ident: str) -> dict[str, Any]:
    return {"type": "message", "id": ident, "role": role, "content": [{"type": "input_text", "text": text}]}


def opening() -> list[dict[str, Any]]:
    return [
        told("developer", "You are an agent.", "msg_a"),
        told("developer", "No sandbox.", "msg_b"),
        told("user", "<environment_context/>", "msg_c"),
        told("user", "Work through it.", "msg_d"),
    ]


def body(model: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "model": model,
        "input": items,
        "tools": TOOLS,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": CACHE_KEY,
        "text": {"verbosity": "low"},
        "client_metadata": {"thread_id": CACHE_KEY},
    }


class Codex:
    """Works until the model calls nothing more."""

    def __init__(self, url: str, key: str) -> None:
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        self.dropped: list[str] = []

    def close(self) -> None:
        self._client.close()

    def ask(self, model: str, items: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
        """The items that the model said, each as it is when it ends."""
        answer = self._client.responses.with_raw_response.create(
            stream=True, extra_body=body(model, items) | changes, extra_headers=HEADERS
        )
        self.dropped = [name for name in answer.headers.get("x-customhouse-dropped", "").split(", ") if name]
        events = list(answer.parse())
        assert events[-1].type == "response.completed"
        assert events[-1].response.usage is not None
        return [event.item.to_dict() for event in events if event.type == "response.output_item.done"]

    def work(self, model: str, steps: int) -> str:
        items, tools = opening(), Steps(NAMES)
        for _ in range(steps + 1):
            said = self.ask(model, items)
            items += [{name: value for name, value in item.items() if name != "status"} for item in said]
            calls = [item for item in said if item["type"].endswith("_call")]
            if not calls:
                return "".join(part["text"] for item in said if item["type"] == "message" for part in item["content"])
            items += [result(call, tools) for call in calls][::-1]  # as they end
        raise AssertionError("the model never came to its end")


def result(call: dict[str, Any], tools: Steps) -> dict[str, Any]:
    custom = call["type"] == "custom_tool_call"
    answered = tools.run(call["name"], call["input"] if custom else json.loads(call["arguments"]))
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "high"}
    output: Any = [picture] if answered.image else answered.text
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": output}
