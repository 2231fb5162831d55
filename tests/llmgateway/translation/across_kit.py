"""Calls of the official SDKs, and what each of them understood: text, calls, stop and usage in one shape for all."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.fakes.cassettes import Cassette, cases
from tests.fakes.recorded_said import Candidate, dialect_of

CHAT, RESPONSES, MESSAGES, GEMINI, COHERE = "openai-chat", "openai-responses", "anthropic", "gemini", "cohere"
CALLERS = (CHAT, RESPONSES, MESSAGES, GEMINI)
HELLO = "Say hello."
ERRORS = (openai.APIError, anthropic.APIError, errors.APIError, RuntimeError)
"""What the SDKs raise; RuntimeError is how OpenAI's helper for Responses' streams says that no response was completed."""


@dataclass
class Understood:
    """What an SDK saw. `usage` are tokens: all of the prompt, those read from a cache, written to one (None: this dialect does
    not tell), all of the answer, those of them that were thought (None: not told)."""

    candidates: list[Candidate]
    usage: tuple[int, int, int | None, int, int | None]


def across(cassettes: list[Cassette]) -> list[Any]:
    """Each with every other caller's dialect."""
    pairs = ((caller, cassette) for cassette in cassettes for caller in CALLERS if caller != dialect_of(cassette))
    found = [pytest.param(caller, cassette, id=f"{cassette.name}-{caller}") for caller, cassette in pairs]
    return found or [pytest.param("", *cases(())[0].values, marks=cases(())[0].marks)]


class Clients:
    """One of each SDK, without retries, at one house."""

    def __init__(self, url: str, key: str) -> None:
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
        self.google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))

    def close(self) -> None:
        self.openai.close()
        self.anthropic.close()
        self.google.close()

    def ask(self, caller: str, model: str, *, stream: bool) -> Understood:
        return ASKS[caller, stream](self, model)


# -- OpenAI's chat


def _chat(clients: Clients, model: str) -> Understood:
    answer = clients.openai.chat.completions.create(model=model, messages=[{"role": "user", "content": HELLO}])
    found = []
    for choice in answer.choices:
        candidate = Candidate((choice.message.content or "") + (choice.message.refusal or ""))
        for call in choice.message.tool_calls or ():
            assert call.type == "function"
            candidate.calls.append((call.function.name, json.loads(call.function.arguments)))
        candidate.stop = choice.finish_reason
        found.append(candidate)
    return Understood(found, _usage_of_chat(answer.usage))


def _usage_of_chat(usage: openai.types.CompletionUsage | None) -> tuple[int, int, int | None, int, int | None]:
    if usage is None:
        return (0, 0, None, 0, 0)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    of_in, of_out = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = (of_in.cached_tokens if of_in else 0) or 0
    return (usage.prompt_tokens, cached, None, usage.completion_tokens, (of_out.reasoning_tokens if of_out else 0) or 0)


def _chat_stream(clients: Clients, model: str) -> Understood:
    found: dict[int, Candidate] = defaultdict(Candidate)
    calls: dict[int, dict[int, list[str]]] = defaultdict(dict)
    usage = None
    with clients.openai.chat.completions.create(
        model=model, messages=[{"role": "user", "content": HELLO}], stream=True, stream_options={"include_usage": True}
    ) as stream:
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                found[choice.index].text += (choice.delta.content or "") + (choice.delta.refusal or "")
                for call in choice.delta.tool_calls or ():
                    assert call.function is not None
                    held = calls[choice.index].setdefault(call.index, ["", ""])
                    held[0] += call.function.name or ""
                    held[1] += call.function.arguments or ""
                if choice.finish_reason:
                    assert not found[choice.index].stop, "a choice ends once"
                    found[choice.index].stop = choice.finish_reason
    for number, held_calls in calls.items():
        assert list(held_calls) == list(range(len(held_calls))), "calls are numbered from 0"
        found[number].calls = [(name, json.loads(text)) for name, text in held_calls.values()]
    return Understood([found[number] for number in sorted(found)], _usage_of_chat(usage))


# -- OpenAI's responses


def _responses(clients: Clients, model: str) -> Understood:
    return _response(clients.openai.responses.create(model=model, input=HELLO))


def _responses_stream(clients: Clients, model: str) -> Understood:
    """The SDK's helper takes no other end than a completed response (it raises RuntimeError), but it shows all."""
    texts, response = "", None
    with clients.openai.responses.stream(model=model, input=HELLO) as stream:
        for event in stream:
            if event.type in ("response.output_text.delta", "response.refusal.delta"):
                texts += event.delta
            elif event.type == "response.incomplete":
                response = event.response
        understood = _response(response or stream.get_final_response())
    assert texts == understood.candidates[0].text
    return understood


def _response(response: openai.types.responses.Response) -> Understood:
    candidate = Candidate()
    for item in response.output:
        if item.type == "message":
            candidate.text += "".join(piece.text if piece.type == "output_text" else piece.refusal for piece in item.content)
        elif item.type == "function_call":
            candidate.calls.append((item.name, json.loads(item.arguments)))
    candidate.stop = str(response.status)
    if response.incomplete_details is not None:
        candidate.stop = str(response.incomplete_details.reason)
    usage = response.usage
    if usage is None:
        return Understood([candidate], (0, 0, None, 0, 0))
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    cached, thought = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
    return Understood([candidate], (usage.input_tokens, cached, None, usage.output_tokens, thought))


# -- Anthropic's messages


def _messages(clients: Clients, model: str) -> Understood:
    return _message(clients.anthropic.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": HELLO}]))


def _messages_stream(clients: Clients, model: str) -> Understood:
    with clients.anthropic.messages.stream(model=model, max_tokens=64, messages=[{"role": "user", "content": HELLO}]) as stream:
        texts = "".join(stream.text_stream)
        understood = _message(stream.get_final_message())
    assert texts == understood.candidates[0].text
    return understood


def _message(message: anthropic.types.Message) -> Understood:
    candidate = Candidate("".join(block.text for block in message.content if block.type == "text"))
    candidate.calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    candidate.stop = str(message.stop_reason)
    usage = message.usage
    read, made = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Understood([candidate], (usage.input_tokens + read + made, read, made, usage.output_tokens, None))


# -- Gemini's


def _google(clients: Clients, model: str) -> Understood:
    return _gemini([clients.google.models.generate_content(model=model, contents=HELLO)])


def _google_stream(clients: Clients, model: str) -> Understood:
    return _gemini(clients.google.models.generate_content_stream(model=model, contents=HELLO))


def _gemini(chunks: Iterable[types.GenerateContentResponse]) -> Understood:
    found: dict[int, Candidate] = defaultdict(Candidate)
    usage: tuple[int, int, int | None, int, int | None] = (0, 0, None, 0, 0)
    for chunk in chunks:
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            found[0].stop = "blocked"
        for told in chunk.candidates or ():
            candidate = found[told.index or 0]
            for part in (told.content.parts if told.content else None) or ():
                if part.function_call is not None:
                    candidate.calls.append((str(part.function_call.name), part.function_call.args or {}))
                elif part.text and not part.thought:
                    candidate.text += part.text
            if told.finish_reason is not None:
                candidate.stop = told.finish_reason.value
        if (counts := chunk.usage_metadata) is not None:
            thought = counts.thoughts_token_count or 0
            prompt, answer = counts.prompt_token_count or 0, counts.candidates_token_count or 0
            assert (counts.total_token_count or 0) == prompt + answer + thought
            usage = (prompt, counts.cached_content_token_count or 0, None, answer + thought, thought)
    return Understood([found[number] for number in sorted(found)], usage)


ASKS: dict[tuple[str, bool], Callable[[Clients, str], Understood]] = {
    (CHAT, False): _chat,
    (CHAT, True): _chat_stream,
    (RESPONSES, False): _responses,
    (RESPONSES, True): _responses_stream,
    (MESSAGES, False): _messages,
    (MESSAGES, True): _messages_stream,
    (GEMINI, False): _google,
    (GEMINI, True): _google_stream,
}

WORDS: dict[str, dict[str, str]] = {
    CHAT: {"end": "stop", "length": "length", "tool": "tool_calls", "filter": "content_filter", "sequence": "stop"},
    RESPONSES: {
        "end": "completed",
        "length": "max_output_tokens",
        "tool": "completed",
        "filter": "content_filter",
        "sequence": "completed",
    },
    MESSAGES: {"end": "end_turn", "length": "max_tokens", "tool": "tool_use", "filter": "refusal", "sequence": "stop_sequence"},
    GEMINI: {"end": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "filter": "SAFETY", "sequence": "STOP"},
}
"""How each dialect says why a model stopped. OpenAI's and Gemini's do not tell a stop sequence from an end; Responses and
Gemini have no word for a stop because of calls."""


def expected_usage(caller: str, used: dict[str, Any]) -> tuple[int, int, int | None, int, int | None]:
    """What the caller's dialect tells of these buckets: Anthropic's does not tell what was thought, the others tell nothing
    of what was written to a cache."""
    read, made = used.get("cached_read", 0), used.get("cache_write_5m", 0) + used.get("cache_write_1h", 0)
    anthropic_s = caller == MESSAGES
    prompt = used.get("input", 0) + read + made
    return (prompt, read, made if anthropic_s else None, used.get("output", 0), None if anthropic_s else used.get("reasoning", 0))
