"""What the tests of OpenAI's Responses share: targets, a call, the official client as reader, a request as Codex sends it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpx2
import msgspec
import openai
from openai.types.responses import Response

from llmgateway.proxy.conversation.answer import Answer
from llmgateway.proxy.conversation.events import Event, fold
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json, Reasoning, ToolCall
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT
from llmgateway.proxy.providers import VENDORS, Facts

BY_SLUG = {facts.slug: facts for facts in VENDORS}
OPENAI = BY_SLUG["openai"]


def target(model: str = "gpt-4.1", facts: Facts = OPENAI) -> Target:
    return Target("openai-responses", model, facts)


def parsed(body: Json) -> Request:
    return DIALECT.parse_request(body, "", False)


def rendered(request: Request, to: Target | None = None) -> tuple[Json, Losses]:
    to = target() if to is None else to
    losses = Losses(to.label)
    return DIALECT.render_request(request, to, losses), losses


def asked(body: Json = None) -> Asked:
    body = {"model": "alias", "input": "Hi"} if body is None else body
    return Asked(parsed(body), body, "alias", "0192-ab", 1_764_000_000)


def read(pieces: Iterable[bytes]) -> list[Event]:
    reader = DIALECT.reader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return found + reader.finish()


def written(events: Iterable[Event], call: Asked | None = None) -> bytes:
    writer = DIALECT.writer(asked() if call is None else call)
    return b"".join(writer.write(event) for event in events)


def payloads(stream: bytes) -> list[Json]:
    """What a stream of the house says. Every event names itself, and they are numbered from 0."""
    found = []
    for block in stream.decode().split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def said(answer: Answer) -> Answer:
    """Without what only the vendor's own answer has, and without what the house tells of itself."""
    return msgspec.structs.replace(answer, id="", model="", created=0, service_tier="", extra={})


def refolded(stream: bytes) -> Answer:
    return said(fold(read([stream])))


def ended(stream: bytes) -> Json:
    """The response that its last event holds."""
    return payloads(stream)[-1]["response"]


def comparable(answer: Answer) -> Answer:
    """Ids of items are made where there was none, and a call without arguments takes an empty object."""
    answer = msgspec.convert(msgspec.to_builtins(answer), Answer)
    for candidate in answer.candidates:
        for part in candidate.parts:
            if isinstance(part, ToolCall):
                part.item_id = ""
                part.arguments = part.arguments or ("" if part.custom else "{}")
            elif isinstance(part, Reasoning):
                part.id = ""
    return said(answer)


@cache
def _client() -> tuple[openai.OpenAI, list[bytes]]:
    """The official client, and the body that it gets next: a client of its own for each stream takes longer than the stream."""
    bodies: list[bytes] = []
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, headers=headers, content=bodies.pop()))
    return openai.OpenAI(api_key="k", max_retries=0, http_client=openai.DefaultHttpxClient(transport=transport)), bodies


def sdk_stream(stream: bytes) -> list[Any]:
    """The events that the official client's accumulator makes of a stream."""
    client, bodies = _client()
    bodies.append(stream)
    with client.responses.stream(model="m", input="Hi") as told:
        return list(told)


def sdk_response(stream: bytes) -> Response:
    """The response at the end of a stream, as that client gives it to its caller."""
    last = sdk_stream(stream)[-1]
    assert last.type in ("response.completed", "response.incomplete")
    return last.response


GRAMMAR = 'start: begin_patch hunk+ end_patch\nbegin_patch: "*** Begin Patch" LF\n'
PATCH = '*** Begin Patch\n*** Update File: a.py\n@@\n-x = 1\n+x = "2\\n"\n*** End Patch\n'

CODEX: dict[str, Json] = {
    "model": "gpt-5.5-codex",
    "instructions": "You are a coding agent running in a terminal.",
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "<permissions>The sandbox can write to the workspace.</permissions>"}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "# AGENTS.md\nRun the tests."},
                {"type": "input_text", "text": "<environment_context><cwd>/repo</cwd></environment_context>"},
            ],
        },
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Fix a.py"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
            ],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "**Looking**"}], "encrypted_content": "gAAAA-first"},
        {
            "type": "message",
            "role": "assistant",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "I look at the file first."}],
        },
        {
            "type": "function_call",
            "name": "exec_command",
            "arguments": '{"cmd":"cat a.py","workdir":"/repo"}',
            "call_id": "call_1",
        },
        {"type": "function_call", "namespace": "mcp__docs", "name": "search", "arguments": '{"q":"x"}', "call_id": "call_2"},
        {"type": "function_call_output", "call_id": "call_1", "output": "x = 1\n"},
        {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "nothing"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA-second"},
        {"type": "custom_tool_call", "status": "completed", "call_id": "call_3", "name": "apply_patch", "input": PATCH},
        {"type": "custom_tool_call_output", "call_id": "call_3", "output": "Done!"},
    ],
    "tools": [
        {
            "type": "function",
            "name": "exec_command",
            "description": "Runs a command.",
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": {"cmd": {"type": "string"}, "workdir": {"type": "string"}},
                "required": ["cmd"],
                "additionalProperties": False,
            },
        },
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Edits files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": GRAMMAR},
        },
        {
            "type": "namespace",
            "name": "mcp__docs",
            "description": "Tools of the server docs.",
            "tools": [
                {
                    "type": "function",
                    "name": "search",
                    "description": "Searches.",
                    "strict": False,
                    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
                }
            ],
        },
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "text": {"verbosity": "low"},
    "service_tier": "priority",
    "client_metadata": {"x-codex-installation-id": "5d4d5c6f"},
}
"""A turn in the middle of a task, as Codex words it: nothing stored, reasoning kept by the client, ids left out."""
