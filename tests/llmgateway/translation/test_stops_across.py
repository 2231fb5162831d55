"""Answers as the corpus has few of: empty ones, cut ones, filtered ones, several at once. Each SDK gets a valid object that
tells why the model stopped, whole and as a stream."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.fakes.recorded_said import Candidate
from tests.llmgateway.translation.across_kit import CHAT, COHERE, GEMINI, MESSAGES, RESPONSES, WORDS, Clients
from tests.llmgateway.translation.test_errors_across import PAIRS

TEXT = "Ein Anfang 你好"
STOPS = ("end", "length", "filter", "sequence", "tool")
CALL = ("look_up", {"city": "Köln", "days": 2})
ARGUMENTS = '{"city": "Köln", "days": 2}'


def chat(text: str, stop: str) -> dict[str, Any]:
    word = {"end": "stop", "length": "length", "filter": "content_filter", "tool": "tool_calls"}[stop]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if stop == "tool":
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {"name": CALL[0], "arguments": ARGUMENTS}}]
    choices = [{"index": 0, "message": message, "finish_reason": word}]
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}


def responses(text: str, stop: str) -> dict[str, Any]:
    reason = {"length": "max_output_tokens", "filter": "content_filter"}.get(stop)
    content = {"type": "output_text", "text": text, "annotations": []}
    output: list[Any] = (
        [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [content]}] if text else []
    )
    if stop == "tool":
        output.append({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": CALL[0], "arguments": ARGUMENTS})
    ended: dict[str, Any] = {"status": "incomplete", "incomplete_details": {"reason": reason}} if reason else {"status": "completed"}
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": output, **ended}


def messages(text: str, stop: str) -> dict[str, Any]:
    word = {"end": "end_turn", "length": "max_tokens", "filter": "refusal", "sequence": "stop_sequence", "tool": "tool_use"}[stop]
    content: list[Any] = [{"type": "text", "text": text}] if text else []
    if stop == "tool":
        content.append({"type": "tool_use", "id": "toolu_1", "name": CALL[0], "input": CALL[1]})
    usage = {"input_tokens": 5, "output_tokens": 2}
    sequence = "###" if stop == "sequence" else None
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": usage, "stop_sequence": sequence}
    return {**head, "content": content, "stop_reason": word}


def gemini(text: str, stop: str) -> dict[str, Any]:
    word = {"end": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY", "tool": "STOP"}[stop]
    parts: list[Any] = [{"text": text}] if text else []
    if stop == "tool":
        parts.append({"functionCall": {"name": CALL[0], "args": CALL[1]}})
    content = {"content": {"role": "model", "parts": parts}} if parts else {}
    return {"candidates": [{**content, "finishReason": word, "index": 0}]}


def cohere(text: str, stop: str) -> dict[str, Any]:
    word = {"end": "COMPLETE", "length": "MAX_TOKENS", "sequence": "STOP_SEQUENCE", "tool": "TOOL_CALL"}[stop]
    message: dict[str, Any] = {"role": "assistant"}
    if text:
        message["content"] = [{"type": "text", "text": text}]
    if stop == "tool":
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {"name": CALL[0], "arguments": ARGUMENTS}}]
    return {"id": "1", "finish_reason": word, "message": message}


def bedrock(text: str, stop: str) -> dict[str, Any]:
    words = {"end": "end_turn", "length": "max_tokens", "filter": "guardrail_intervened", "sequence": "stop_sequence", "tool": "tool_use"}
    content: list[Any] = [{"text": text}] if text else []
    if stop == "tool":
        content.append({"toolUse": {"toolUseId": "tooluse_1", "name": CALL[0], "input": CALL[1]}})
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": words[stop]}


MAKERS: dict[str, Any] = {CHAT: chat, RESPONSES: responses, MESSAGES: messages, GEMINI: gemini, COHERE: cohere, "bedrock": bedrock}
WITHOUT = {CHAT: ("sequence",), RESPONSES: ("sequence",), GEMINI: ("sequence",), COHERE: ("filter",)}
"""Stops that a dialect has no word for."""

CASES = [(caller, wire, stop, text) for caller, wire in PAIRS for stop in STOPS if stop not in WITHOUT.get(wire, ()) for text in ("", TEXT)]


@pytest.mark.parametrize(("caller", "wire", "stop", "text"), CASES)
def test_why_a_model_stopped_is_told_with_and_without_a_text(
    caller: str, wire: str, stop: str, text: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = said(MAKERS[wire](text, stop))
    expected = Candidate(text, [CALL] if stop == "tool" else [], WORDS[caller][stop])
    for stream in (False, True):
        try:
            understood = clients.ask(caller, f"wire/{wire}", stream=stream)
        finally:
            event = wired_house.settled()
        assert understood.candidates == [expected]
        assert event.outcome == "ok"


@pytest.mark.parametrize(("caller", "wire"), [(caller, wire) for caller, wire in PAIRS if wire in (CHAT, GEMINI)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_several_answers_are_told_where_there_is_a_place_for_them_and_the_first_elsewhere(
    caller: str, wire: str, stream: bool, wired_house: House, provider: Provider, clients: Clients
) -> None:
    one, two = MAKERS[wire](TEXT, "end"), MAKERS[wire]("Ein anderer", "length")
    several = "choices" if wire == CHAT else "candidates"
    one[several] += [{**two[several][0], "index": 1}]
    provider.fallback = said(one)
    try:
        understood = clients.ask(caller, f"wire/{wire}", stream=stream)
    finally:
        wired_house.settled()
    told = [Candidate(TEXT, [], WORDS[caller]["end"]), Candidate("Ein anderer", [], WORDS[caller]["length"])]
    assert understood.candidates == (told if caller in (CHAT, GEMINI) else told[:1])
