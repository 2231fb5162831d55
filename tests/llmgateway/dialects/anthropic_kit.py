"""What the tests of the Anthropic dialect share: a target, a call, the official client as reader, bytes in awkward pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anthropic
import httpx2
import msgspec
from anthropic.types.beta import BetaMessage

from llmgateway.proxy.conversation.answer import Answer
from llmgateway.proxy.conversation.events import Event, Fold
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json, ToolCall
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.providers import facts_of
from tests.fakes.cassettes import Cassette

FACTS = facts_of(dialect="anthropic", base_url="https://api.anthropic.com")
OLD, NEW = "claude-sonnet-4-5", "claude-opus-4-8"


def target(model: str = OLD, **facts: Any) -> Target:
    return Target("anthropic", model, FACTS._replace(**facts))


def asked(request: Request | None = None) -> Asked:
    return Asked(Request() if request is None else request, {}, "the-model", "0192", 1_764_000_000)


def parsed(body: Json) -> Request:
    return DIALECT.parse_request(body, "", False)


def rendered(request: Request, model: str = OLD, **facts: Any) -> tuple[Json, Losses]:
    to = target(model, **facts)
    losses = Losses(to.label)
    return DIALECT.render_request(request, to, losses), losses


def whole(cassette: Cassette) -> Json:
    return json.loads(cassette.answer)


def read(pieces: Iterable[bytes]) -> list[Event]:
    reader = DIALECT.reader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return found + reader.finish()


def write(events: Iterable[Event], call: Asked | None = None) -> bytes:
    writer = DIALECT.writer(asked() if call is None else call)
    return b"".join(writer.write(event) for event in events)


def folded(events: Iterable[Event]) -> Fold:
    folding = Fold()
    for event in events:
        folding.add(event)
    return folding


def compact(answer: Answer) -> Answer:
    """With arguments as their JSON value is written compactly: a stream tells them as the model spaced them."""
    answer = msgspec.convert(msgspec.to_builtins(answer), Answer)
    for candidate in answer.candidates:
        for part in candidate.parts:
            if isinstance(part, ToolCall) and part.arguments:
                part.arguments = msgspec.json.encode(msgspec.json.decode(part.arguments)).decode()
    return answer


def payloads(stream: bytes) -> list[Json]:
    """What a stream of the house says. Every event names itself."""
    found = []
    for block in stream.decode().split("\n\n"):
        if block:
            name, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    return found


def by_ten(data: bytes, size: int = 10) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def client(answer: Callable[[], httpx2.Response]) -> anthropic.Anthropic:
    transport = httpx2.MockTransport(lambda request: answer())
    return anthropic.Anthropic(api_key="k", max_retries=0, http_client=anthropic.DefaultHttpxClient(transport=transport))


def as_the_client_streams(stream: bytes) -> BetaMessage:
    """What the official client makes of a stream."""
    headers = {"content-type": "text/event-stream"}
    caller = client(lambda: httpx2.Response(200, headers=headers, content=stream))
    with caller.beta.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as told:
        return told.get_final_message()


def as_the_client_reads(body: Json) -> BetaMessage:
    """Strictly: the client itself believes every body."""
    return BetaMessage.model_validate(body)


def one_block_at_a_time(told: list[Json]) -> None:
    assert told[0]["type"] == "message_start"
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]
    current, following = None, 0
    for event in told[1:-2]:
        if event["type"] == "content_block_start":
            assert (current, event["index"]) == (None, following)
            current, following = following, following + 1
        elif event["type"] == "content_block_stop":
            assert event["index"] == current
            current = None
        else:
            assert event["type"] == "content_block_delta"
            assert event["index"] == current
    assert current is None
