"""A translated stream says the same, byte for byte, wherever the upstream's bytes are cut.

The kinds of cuts: one byte at a time at the stream's beginning, inside a character, between CR and LF of a line end,
inside `data:` and `event:`, inside the JSON, between two events.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.events import unfold
from llmgateway.proxy.conversation.parts import Reasoning, Text, ToolCall
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.bedrock.codec import DIALECT as BEDROCK
from llmgateway.proxy.dialects.dialect import Asked
from tests.fakes.cassettes import Cassette, corpus
from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply
from tests.fakes.recorded_said import dialect_of
from tests.llmgateway.translation.across_kit import CALLERS, CHAT, GEMINI, HELLO, MESSAGES, RESPONSES, across

STREAMS = [cassette for cassette in corpus() if cassette.streamed and dialect_of(cassette) is not None]
MOST = 12
"""Cuts of one kind in one stream; the recorded ones have thousands of places for some."""


def inside_characters(stream: bytes) -> list[int]:
    """Before every byte that goes on with a character."""
    return [place for place, byte in enumerate(stream) if byte & 0xC0 == 0x80]


def between_cr_and_lf(stream: bytes) -> list[int]:
    return [found.start() + 1 for found in re.finditer(rb"\r\n", stream)]


def inside_names(stream: bytes) -> list[int]:
    return [found.start() + 3 for found in re.finditer(rb"(?m)^(?:data|event):", stream)]


def inside_json(stream: bytes) -> list[int]:
    """In the middle of what an event holds, and behind a backslash."""
    return sorted(
        [(found.start() + found.end()) // 2 for found in re.finditer(rb"(?m)^data:.*$", stream)]
        + [found.start() + 1 for found in re.finditer(rb"\\[nu\"]", stream)]
    )


def between_events(stream: bytes) -> list[int]:
    return [found.end() for found in re.finditer(rb"\r?\n\r?\n", stream)]


def bytewise(stream: bytes) -> list[int]:
    return list(range(1, 400))


CUTS: dict[str, Callable[[bytes], list[int]]] = {
    "inside characters": inside_characters,
    "between CR and LF": between_cr_and_lf,
    "inside names": inside_names,
    "inside JSON": inside_json,
    "between events": between_events,
    "bytewise": bytewise,
}


def spread(places: list[int]) -> list[int]:
    """Some of them, from the first to the last."""
    if len(places) <= MOST:
        return places
    return [places[number * (len(places) - 1) // (MOST - 1)] for number in range(MOST)]


def chosen(stream: bytes) -> list[list[int]]:
    return [cuts if kind == "bytewise" else spread(cuts) for kind, find in CUTS.items() if (cuts := find(stream))]


def in_pieces(stream: bytes, cuts: list[int], content_type: str) -> Reply:
    marks = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
    pieces = tuple(stream[start:end] for start, end in itertools.pairwise(marks))
    return Reply(headers=(("content-type", content_type),), pieces=pieces)


def calling(caller: str, model: str) -> tuple[str, dict[str, object]]:
    """Address and body of a stream of this dialect."""
    messages = [{"role": "user", "content": HELLO}]
    return {
        CHAT: (
            "/v1/chat/completions",
            {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}},
        ),
        RESPONSES: ("/v1/responses", {"model": model, "input": HELLO, "stream": True}),
        MESSAGES: ("/v1/messages", {"model": model, "messages": messages, "stream": True, "max_tokens": 64}),
        GEMINI: (f"/v1beta/models/{model}:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": HELLO}]}]}),
    }[caller]


def told(house: House, http: httpx.Client, caller: str, model: str) -> str:
    """What the caller reads, without what is new with every call: the request's id and the time."""
    path, body = calling(caller, model)
    answer = http.post(path, json=body)
    house.settled()
    assert answer.status_code == 200, answer.text
    request_id = answer.headers["x-request-id"]
    text = answer.text.replace(request_id, "<id>").replace(request_id.replace("-", ""), "<id>")
    return re.sub(r'"(created|created_at|completed_at)":\d+', r'"\1":0', text)


@pytest.fixture(scope="module")
def http(wired_house: House) -> Iterator[httpx.Client]:
    with wired_house.client(headers={"authorization": f"Bearer {wired_house.key}"}) as opened:
        yield opened


@pytest.mark.parametrize(("caller", "cassette"), across(STREAMS))
def test_a_recorded_stream_is_translated_the_same_wherever_it_is_cut(
    cassette: Cassette, caller: str, wired_house: House, provider: Provider, http: httpx.Client
) -> None:
    model = f"wire/{dialect_of(cassette)}"
    provider.then(in_pieces(cassette.answer, [], cassette.content_type))
    uncut = told(wired_house, http, caller, model)
    assert uncut
    for cuts in chosen(cassette.answer):
        provider.then(in_pieces(cassette.answer, cuts, cassette.content_type))
        assert told(wired_house, http, caller, model) == uncut
    with_cr = cassette.answer.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    everywhere = [cut for cuts in chosen(with_cr) for cut in cuts]
    for cuts in (spread(between_cr_and_lf(with_cr)), everywhere):
        provider.then(in_pieces(with_cr, cuts, cassette.content_type))
        assert told(wired_house, http, caller, model) == uncut


ANSWER = Answer(
    id="1",
    candidates=[
        Candidate(
            parts=[
                Reasoning(text="Überlegt: 你好"),
                Text(text="Grüße 你好 🙂"),
                ToolCall(id="tooluse_1", name="weather", arguments='{"city":"Köln"}'),
            ],
            stop="tool",
        )
    ],
    usage={"input": 12, "output": 7},
)


def bedrock_stream() -> bytes:
    writer = BEDROCK.writer(Asked(request=Request(), body={}, model="m", id="0192", created=0))
    return b"".join(writer.write(event) for event in unfold(ANSWER))


@pytest.mark.parametrize("caller", CALLERS)
def test_bedrock_s_binary_stream_is_translated_the_same_wherever_it_is_cut(
    caller: str, wired_house: House, provider: Provider, http: httpx.Client
) -> None:
    stream, kind = bedrock_stream(), "application/vnd.amazon.eventstream"
    provider.then(in_pieces(stream, [], kind))
    uncut = told(wired_house, http, caller, "wire/bedrock")
    assert "Grüße 你好 🙂" in uncut or json.dumps("Grüße 你好 🙂")[1:-1] in uncut
    for step in (1, 2, 7, 64):
        provider.then(in_pieces(stream, list(range(step, len(stream), step)), kind))
        assert told(wired_house, http, caller, "wire/bedrock") == uncut
