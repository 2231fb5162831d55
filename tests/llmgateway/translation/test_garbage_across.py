"""A provider that answers a translated call with what is not of its dialect: the next deployment is tried, and without one
the caller reads a 502 of its own dialect. What was sent is kept for whoever has to find out why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from dataplane.debug import read
from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, said, streamed
from tests.llmgateway.translation.across_kit import CHAT, COHERE, ERRORS, GEMINI, MESSAGES, RESPONSES, Clients
from tests.llmgateway.translation.test_errors_across import PAIRS, begun, streaming
from tests.llmgateway.translation.test_streams_split import calling

GOOGLE: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": answers.TEXT}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 20, "cachedContentTokenCount": 4, "candidatesTokenCount": 6, "totalTokenCount": 26},
}
COHERES: dict[str, Any] = {
    "id": "1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": answers.TEXT}]},
    "usage": {"tokens": {"input_tokens": 20, "output_tokens": 6}, "cached_tokens": 4},
}
BEDROCKS: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": [{"text": answers.TEXT}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 16, "outputTokens": 6, "totalTokens": 26, "cacheReadInputTokens": 4},
}
GOOD: dict[str, Any] = {
    CHAT: answers.chat(),
    RESPONSES: answers.response(),
    MESSAGES: answers.message(),
    GEMINI: GOOGLE,
    COHERE: COHERES,
    "bedrock": BEDROCKS,
}
"""Each says the same in its dialect; a provider that is asked for a stream may answer whole."""

HTML = b"<!doctype html><title>Service interruption</title>"


def page() -> Reply:
    return Reply(headers=(("content-type", "text/html"),), pieces=(HTML,), sized=True)


def broken() -> Reply:
    return Reply(pieces=(b'{"id": "1", "choices": [{"index": 0, ',), sized=True)


GARBAGE: dict[str, tuple[Reply, bytes]] = {
    "a page": (page(), HTML),
    "broken JSON": (broken(), b'"choices": [{'),
    "JSON of another kind": (said({"hello": ["world"]}), b'"world"'),
    "a list": (said([1, 2, 3]), b"[1, 2, 3]"),
    "an answer with nothing in it": (said({}), b"{}"),
}
NO_STREAMS: dict[str, tuple[Reply, bytes]] = {
    "events that are no JSON": (streamed(b"event: message_start\ndata: {nothing\n\ndata: {nothing\n\n"), b"{nothing"),
    "events of another kind": (streamed(b"event: message_start\ndata: [1, 2]\n\ndata: [1, 2]\n\n"), b"[1, 2]"),
}


@pytest.fixture(scope="module")
def http(wired_house: House) -> Any:
    with wired_house.client(headers={"authorization": f"Bearer {wired_house.key}"}) as opened:
        yield opened


@pytest.mark.parametrize(("caller", "wire"), PAIRS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_next_deployment_is_tried_after_garbage(
    caller: str, wire: str, stream: bool, wired_house: House, provider: Provider, clients: Clients
) -> None:
    garbage = [reply for reply, _ in GARBAGE.values()]
    if stream and wire != "bedrock":
        garbage += [reply for reply, _ in NO_STREAMS.values()]
    for reply in garbage:
        provider.then(reply, said(GOOD[wire]))
        try:
            understood = clients.ask(caller, f"spare/{wire}", stream=stream)
        finally:
            lost, good = wired_house.all_settled(2)
        assert understood.candidates[0].text == answers.TEXT
        assert (lost.outcome, lost.status, good.outcome) == ("error", 502, "ok")
        assert {name: count for name, count in good.usage.items() if count} == answers.USAGE


def calling_whole(caller: str, model: str) -> tuple[str, dict[str, Any]]:
    path, body = calling(caller, model)
    whole = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
    return path.replace(":streamGenerateContent?alt=sse", ":generateContent"), whole


@pytest.mark.parametrize(
    ("caller", "wire", "what"),
    [(caller, wire, what) for caller, wire in PAIRS for what in (*GARBAGE, *(NO_STREAMS if wire != "bedrock" else ()))],
)
def test_garbage_from_the_last_deployment_is_a_502_and_kept(
    caller: str, wire: str, what: str, wired_house: House, provider: Provider, http: httpx.Client
) -> None:
    stream = what in NO_STREAMS
    reply, kept = (NO_STREAMS if stream else GARBAGE)[what]
    provider.fallback = reply
    path, body = calling(caller, f"wire/{wire}") if stream else calling_whole(caller, f"wire/{wire}")
    answer = http.post(path, json=body)
    event = wired_house.settled()
    assert (answer.status_code, event.outcome, event.status) == (502, "error", 502)
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (error["details"][0]["reason"] if caller == GEMINI else error.get("code", "upstream_garbled")) == "upstream_garbled"
    assert caller != MESSAGES or error["type"] == "api_error"
    assert kept.decode() not in answer.text

    directory, request_id = Path(str(wired_house.kit.debug.directory)), answer.headers["x-request-id"]
    wired_house.wait_until(lambda: read(directory, request_id) is not None)
    head, raw = read(directory, request_id) or ({}, b"")
    assert kept in raw
    assert head["provider"] == f"{wire}/real"


@pytest.mark.parametrize(("caller", "wire"), PAIRS)
def test_garbage_in_the_middle_is_never_sent_again_and_never_a_success(
    caller: str, wire: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    before = len(provider.asked)
    provider.fallback = streaming(wire, begun(wire), b"data: {nothing\n\n" * 40)
    try:
        with pytest.raises(ERRORS):
            clients.ask(caller, f"spare/{wire}", stream=True)
    finally:
        event = wired_house.settled()
    assert event.outcome == "error"
    assert len(provider.asked) == before + 1
