"""A prompt's tokens, estimated: the answer to a count where no deployment of the model counts.

Coding tools decide by it when to compact a conversation, so a number that is near is worth more than a refusal. The answer
says that it is an estimate.
"""

from __future__ import annotations

import asyncio

import msgspec

from dataplane.asgi import JSON_TYPE, respond
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from llmgateway.proxy.call import unknown_model
from llmgateway.proxy.conversation.parts import Audio, File, Image, Json, Reasoning, Refused, Special, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.endpoint import COUNT
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.runtime import Runtime
from llmgateway.proxy.translation.base import readable
from llmgateway.proxy.translation.count import DIALECT_OF, WRITERS, asked

BYTES_PER_TOKEN = 3.6
"""Of English text and code in today's vocabularies, from above."""

PER_MESSAGE, PER_IMAGE, PER_FILE = 4, 1500, 3000
ESTIMATED = (b"x-customhouse-estimated", b"true")


async def counted_here(inbound: Inbound, *, key: KeyRecord, snapshot: Snapshot, runtime: Runtime) -> bool:
    """Answers a count that nobody else can answer. Raises NotFound and BadRequest."""
    endpoint = inbound.endpoint
    if endpoint.operation != COUNT:
        return False
    model = runtime.models.get(inbound.model)
    if model is None or f"model:{inbound.model}" not in snapshot.allowed(key):
        raise unknown_model(inbound.model)
    if not model.deployments or model.tiers_for(endpoint.wire, COUNT):
        return False
    inbound.check()
    number = await asyncio.to_thread(_number, inbound)
    body = msgspec.json.encode(WRITERS[DIALECT_OF[endpoint.wire]](number))
    await respond(inbound.request.send, 200, [JSON_TYPE, ESTIMATED, (b"x-request-id", inbound.request.id.encode())], body)
    return True


def _number(inbound: Inbound) -> int:
    with readable():
        return tokens(asked(inbound))


def tokens(request: Request) -> int:
    parts = [*request.system, *(part for message in request.messages for part in message.parts)]
    size = sum(map(_size, parts)) + sum(_length(tool) for tool in request.tools)
    fixed = sum(map(_fixed, parts)) + PER_MESSAGE * (len(request.messages) + 1)
    return int(size / BYTES_PER_TOKEN) + fixed


def _size(part: object) -> int:
    """Bytes of what is text."""
    match part:
        case Text() | Refused():
            return len(part.text.encode())
        case Reasoning():
            return len(part.text.encode()) + sum(len(text.encode()) for text in part.summary)
        case ToolCall():
            return len(part.name) + len(part.arguments.encode())
        case ToolResult():
            return sum(map(_size, part.content))
        case File():
            return len(part.text.encode())
        case Special():
            return _length(part.raw)
        case _:
            return 0


def _fixed(part: object) -> int:
    """Tokens of what is not."""
    match part:
        case Image():
            return PER_IMAGE
        case Audio():
            return len(part.data) // 1000
        case File(text=""):
            return max(PER_FILE, len(part.data) // 40)
        case ToolResult():
            return sum(map(_fixed, part.content))
        case _:
            return 0


def _length(value: Json) -> int:
    return len(msgspec.json.encode(value))
