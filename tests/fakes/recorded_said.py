"""What a recorded answer says, read on its own terms: nothing of the gateway's readers is used here.

`Said` is text, calls of the caller's tools and the reason for its end, by candidate. Reasoning and citations are not looked
at. `excluded` names the rule by which an answer is one vendor's own, so that no other dialect can tell all of it.

The classes of a stop are end, length, tool, filter and sequence. A model that calls tools has stopped for them, whatever
word its vendor has for that (Gemini says STOP, Responses that it is completed).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.cassettes import Cassette
from tests.fakes.recorded_usage import payloads

DIALECTS = {
    "completions": "openai-chat",
    "responses": "openai-responses",
    "messages": "anthropic",
    "generateContent": "gemini",
    "streamGenerateContent": "gemini",
    "chat": "cohere",
}
"""The wire dialects of generation, by the kind of an exchange."""

STOPS = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tool",
    "content_filter": "filter",
    "end_turn": "end",
    "stop_sequence": "sequence",
    "max_tokens": "length",
    "tool_use": "tool",
    "refusal": "filter",
    "STOP": "end",
    "MAX_TOKENS": "length",
    "SAFETY": "filter",
    "MODEL_ARMOR": "filter",
    "UNEXPECTED_TOOL_CALL": "end",
    "COMPLETE": "end",
    "STOP_SEQUENCE": "sequence",
    "TOOL_CALL": "tool",
}


@dataclass
class Candidate:
    """`calls` are names with their arguments as JSON values, in order."""

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    stop: str = ""

    def ended(self, word: str | None) -> None:
        if word:
            self.stop = "tool" if self.calls and STOPS[word] == "end" else STOPS[word]


def dialect_of(cassette: Cassette) -> str | None:
    """None for what generates nothing."""
    return DIALECTS.get(cassette.kind)


def recorded_said(cassette: Cassette) -> list[Candidate]:
    """One for each candidate."""
    readers = {
        "openai-chat": _chat,
        "openai-responses": _responses,
        "anthropic": _anthropic,
        "gemini": _gemini,
        "cohere": _cohere,
    }
    bodies = list(payloads(cassette.answer)) if cassette.streamed else [json.loads(cassette.answer)]
    return readers[DIALECTS[cassette.kind]](bodies, cassette.streamed)


# -- OpenAI's chat


def _chat(bodies: list[Any], streamed: bool) -> list[Candidate]:
    texts: dict[int, str] = defaultdict(str)
    calls: dict[int, dict[int, list[str]]] = defaultdict(dict)
    ends: dict[int, str | None] = {}
    for body in bodies:
        for choice in body["choices"]:
            said, number = choice["delta" if streamed else "message"], choice["index"]
            texts[number] += _spoken(said.get("content")) + (said.get("refusal") or "")
            for place, call in enumerate(said.get("tool_calls") or ()):
                _call_of_chat(calls[number], call, place)
            ends[number] = choice.get("finish_reason") or ends.get(number)
    found = []
    for number in sorted(ends):
        candidate = Candidate(texts[number], [(name, json.loads(text or "{}")) for name, text in calls[number].values()])
        candidate.ended(ends[number])
        found.append(candidate)
    return found


def _spoken(content: Any) -> str:
    """Mistral's content is a list where the model thinks."""
    if isinstance(content, list):
        return "".join(piece["text"] for piece in content if piece["type"] == "text")
    return content or ""


def _call_of_chat(calls: dict[int, list[str]], call: Any, place: int) -> None:
    held = calls.setdefault(call.get("index", place), ["", ""])
    held[0] += call["function"].get("name") or ""
    held[1] += call["function"].get("arguments") or ""


# -- OpenAI's responses


def _responses(bodies: list[Any], streamed: bool) -> list[Candidate]:
    response = bodies[-1]["response"] if streamed else bodies[0]
    candidate = Candidate()
    for item in response["output"]:
        if item["type"] == "message":
            candidate.text += "".join(piece.get("text") or piece.get("refusal") or "" for piece in item["content"])
        elif item["type"] == "function_call":
            candidate.calls.append((item["name"], json.loads(item["arguments"])))
    cut = {"max_output_tokens": "length", "content_filter": "content_filter", None: "stop"}
    candidate.ended(cut[(response.get("incomplete_details") or {}).get("reason")])
    return [candidate]


# -- Anthropic's messages


def _anthropic(bodies: list[Any], streamed: bool) -> list[Candidate]:
    candidate = Candidate()
    blocks = list(_blocks(bodies)) if streamed else bodies[0]["content"]
    for block in blocks:
        if block["type"] == "text":
            candidate.text += block["text"]
        elif block["type"] == "tool_use":
            candidate.calls.append((block["name"], block["input"]))
    stops = [body["delta"]["stop_reason"] for body in bodies if body["type"] == "message_delta"] if streamed else [bodies[0]["stop_reason"]]
    candidate.ended(stops[-1])
    return [candidate]


def _blocks(bodies: list[Any]) -> Iterator[Any]:
    held: dict[int, Any] = {}
    inputs: dict[int, str] = defaultdict(str)
    for body in bodies:
        if body["type"] == "content_block_start":
            held[body["index"]] = dict(body["content_block"])
        elif body["type"] == "content_block_delta":
            delta = body["delta"]
            if delta["type"] == "text_delta":
                held[body["index"]]["text"] += delta["text"]
            elif delta["type"] == "input_json_delta":
                inputs[body["index"]] += delta["partial_json"]
    for place, text in inputs.items():
        if text:
            held[place]["input"] = json.loads(text)
    return iter(held.values())


# -- Gemini's


def _gemini(bodies: list[Any], streamed: bool) -> list[Candidate]:
    found: dict[int, Candidate] = defaultdict(Candidate)
    for body in bodies:
        if "blockReason" in body.get("promptFeedback", {}):
            found[0].stop = "filter"
        for told in body.get("candidates", ()):
            candidate = found[told.get("index", 0)]
            for part in (told.get("content") or {}).get("parts", ()):
                if not part.get("thought"):
                    candidate.text += part.get("text", "")
                if "functionCall" in part:
                    candidate.calls.append((part["functionCall"]["name"], part["functionCall"].get("args", {})))
            candidate.ended(told.get("finishReason"))
    return [found[number] for number in sorted(found)]


# -- Cohere's chat


def _cohere(bodies: list[Any], streamed: bool) -> list[Candidate]:
    message = bodies[0]["message"]
    candidate = Candidate("".join(piece["text"] for piece in message.get("content") or () if piece["type"] == "text"))
    for call in message.get("tool_calls") or ():
        candidate.calls.append((call["function"]["name"], json.loads(call["function"]["arguments"] or "{}")))
    candidate.ended(bodies[0]["finish_reason"])
    return [candidate]


# -- What is one vendor's own


def excluded(cassette: Cassette) -> str | None:
    """Why no other dialect can tell all of this answer; None when any can."""
    bodies = list(payloads(cassette.answer)) if cassette.streamed else [json.loads(cassette.answer)]
    return next((reason for body in bodies for reason in _reasons(cassette, body)), None)


def _reasons(cassette: Cassette, body: Any) -> Iterable[str]:
    if cassette.kind == "responses":
        response = body.get("response") or body
        if response.get("status") in ("queued", "in_progress") and not cassette.streamed:
            yield "it is an order in the background and no answer yet"
        if response.get("status") == "failed":
            yield "the response failed"
    elif cassette.kind == "completions" and "error" in body:
        yield "the stream ends in an error"
