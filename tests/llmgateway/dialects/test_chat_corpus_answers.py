"""Every recorded chat answer and stream, read into the conversation and told again to a caller of the same dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llmgateway.proxy.conversation.answer import Answer
from llmgateway.proxy.conversation.events import Event, Failed, Fold, Used
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases
from tests.llmgateway.dialects.chat_kit import asked, cassettes, joined, replayed, told

ANSWERED = [cassette for cassette in cassettes() if cassette.status == 200]
WHOLE = [cassette for cassette in ANSWERED if not cassette.streamed]
STREAMED = [cassette for cassette in ANSWERED if cassette.streamed]
SPLIT = 400
"""Streams up to this size are cut at every byte."""


def folded(data: bytes, cuts: list[int]) -> Fold:
    reader, folding = DIALECT.reader(), Fold()
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        for event in reader.feed(data[start:end]):
            folding.add(event)
    for event in reader.finish():
        folding.add(event)
    return folding


def written(events: list[Event], model: str) -> bytes:
    writer = DIALECT.writer(asked(model))
    return b"".join(writer.write(event) for event in events)


def events_of(data: bytes) -> list[Event]:
    reader = DIALECT.reader()
    return [*reader.feed(data), *reader.finish()]


def by_the_sdk(data: bytes) -> Any:
    """The message that the official SDK's own accumulator makes of a stream."""
    state = ChatCompletionStreamState()
    for line in data.split(b"\n\n"):
        if line.startswith(b"data: {"):
            state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(line[6:])))
    return state.get_final_completion()


@pytest.mark.parametrize("cassette", cases(WHOLE))
def test_a_recorded_answer_is_told_again_as_it_was(cassette: Cassette) -> None:
    answer = DIALECT.parse_answer(json.loads(cassette.answer))

    rendered = DIALECT.render_answer(answer, asked(answer.model))

    again = DIALECT.parse_answer(rendered)
    assert (again.id, again.model, again.created) == (answer.id, answer.model, answer.created)
    for choice, read, said in zip(rendered["choices"], again.candidates, answer.candidates, strict=True):
        assert (read.stop, read.native_stop, read.logprobs) == (said.stop, said.native_stop, said.logprobs)
        assert replayed(choice["message"]) == joined(said.parts)
    ChatCompletion.model_validate(rendered)
    assert_record(json.loads(cassette.answer), rendered)


def assert_record(record: dict[str, Any], rendered: dict[str, Any]) -> None:
    for before, after in zip(record["choices"], rendered["choices"], strict=True):
        was, now = before["message"], after["message"]
        if not isinstance(was.get("content"), list):
            assert (now["content"] or "") == (was.get("content") or "")
        assert [(call["function"]["name"], call["function"]["arguments"]) for call in now.get("tool_calls") or []] == [
            (call["function"]["name"], call["function"].get("arguments") or "{}") for call in was.get("tool_calls") or []
        ]
        assert after["finish_reason"] == before["finish_reason"] or (was.get("tool_calls") and after["finish_reason"] == "tool_calls")
    if "usage" in record:
        assert_counted(record["usage"], rendered["usage"])


def assert_counted(record: dict[str, Any], rendered: dict[str, Any]) -> None:
    """OpenRouter counts tokens of an implicit cache as read and as written: the house bills both, so its prompt is longer."""
    details = record.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or record.get("num_cached_tokens") or record.get("prompt_cache_hit_tokens") or 0
    written = details.get("cache_write_tokens") or 0
    twice = written if cached + written > record["prompt_tokens"] else 0
    assert rendered["prompt_tokens"] == record["prompt_tokens"] + twice
    assert rendered["completion_tokens"] == record["completion_tokens"]
    assert rendered["prompt_tokens_details"]["cached_tokens"] == cached
    reasoned = (record.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    assert rendered["completion_tokens_details"]["reasoning_tokens"] == min(reasoned, record["completion_tokens"])


@pytest.mark.parametrize("cassette", cases(STREAMED))
def test_a_recorded_stream_is_told_again_as_it_was(cassette: Cassette) -> None:
    events = events_of(cassette.answer)
    first = folded(cassette.answer, [])
    again = written(events, first.answer.model)

    second = folded(again, [])

    if first.failure is not None:
        first.answer.usage = {}  # an error ends what a caller is told: no usage chunk follows
    assert told(second.answer) == told(first.answer)
    assert (second.done, second.failure is None) == (first.done, first.failure is None)
    if first.done:
        assert_accumulated(by_the_sdk(again), first.answer)


def assert_accumulated(completion: Any, answer: Answer) -> None:
    rendered = DIALECT.render_answer(answer, asked(answer.model))
    for choice, expected in zip(completion.choices, rendered["choices"], strict=True):
        assert (choice.message.content or "") == (expected["message"]["content"] or "")
        assert choice.finish_reason == expected["finish_reason"]
        calls = [call.function.arguments for call in choice.message.tool_calls or []]
        assert calls == [call["function"]["arguments"] for call in expected["message"].get("tool_calls", [])]
    if answer.usage:
        assert completion.usage.total_tokens == rendered["usage"]["total_tokens"]


def cuts_of(data: bytes) -> list[list[int]]:
    """Inside every kind of place: of a character, of a line end, of an event; short streams at each byte."""
    if len(data) <= SPLIT:
        return [list(range(1, len(data)))]
    wide = [place for place in range(1, len(data)) if data[place] & 0xC0 == 0x80]
    ends = [place for place in range(1, len(data)) if data[place - 1 : place] in (b"\r", b"\n")]
    return [wide, ends, list(range(7, len(data), 7)), list(range(1, len(data), 1021))]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("cassette", cases(STREAMED))
def test_a_recorded_stream_says_the_same_wherever_it_is_cut(cassette: Cassette, line_end: bytes) -> None:
    data = cassette.answer.replace(b"\n", line_end)
    whole = folded(cassette.answer, [])

    for cuts in cuts_of(data):
        cut = folded(data, cuts)
        assert cut.answer == whole.answer
        assert cut.done == whole.done


def as_whole(data: bytes) -> dict[str, Any]:
    """The whole answer that a recorded stream amounts to."""
    body: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for line in data.split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        body |= {name: chunk[name] for name in ("id", "model", "created", "usage") if chunk.get(name)}
        for choice in chunk.get("choices") or []:
            kept = choices.setdefault(choice["index"], {"index": choice["index"], "message": {}})
            kept |= {name: choice[name] for name in ("finish_reason", "native_finish_reason") if choice.get(name)}
            grow(kept["message"], choice["delta"])
    return body | {"choices": list(choices.values())}


def grow(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name in ("tool_calls", "reasoning_details"):
            for entry in value or []:
                grow_entry(message.setdefault(name, []), entry)
        elif isinstance(value, list):
            if not isinstance(message.get(name), list):
                assert not message.get(name)
                message[name] = []
            grow_pieces(message[name], value)
        elif isinstance(value, str) and isinstance(message.get(name), list):
            message[name].append({"type": "text", "text": value})
        elif isinstance(value, str) and name != "role":
            message[name] = message.get(name, "") + value


def grow_entry(entries: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    same = [known for known in entries if (known["index"], known.get("type")) == (entry["index"], entry.get("type", known.get("type")))]
    if not same:
        entries.append(json.loads(json.dumps(entry)))
        return
    held = same[0].get("function", same[0])
    for name, value in entry.get("function", entry).items():
        if name in ("text", "summary", "arguments"):
            held[name] = held.get(name, "") + value
        elif value:
            held[name] = value


def grow_pieces(pieces: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    for piece in more:
        if piece["type"] == "thinking" and pieces and pieces[-1]["type"] == "thinking":
            pieces[-1]["thinking"] += piece["thinking"]
        else:
            pieces.append(piece)


@pytest.mark.parametrize("cassette", cases([cassette for cassette in STREAMED if b'"error"' not in cassette.answer]))
def test_a_recorded_stream_folds_to_what_its_whole_answer_says(cassette: Cassette) -> None:
    streamed = folded(cassette.answer, [])
    body = as_whole(cassette.answer)
    assert told(streamed.answer) == told(DIALECT.parse_answer(body))


def test_the_one_recorded_error_in_a_stream_is_a_failure() -> None:
    failed = [cassette for cassette in STREAMED if b'"error"' in cassette.answer]

    for cassette in failed:
        events = events_of(cassette.answer)
        assert isinstance(events[-1], Failed)
        assert (events[-1].failure.status, events[-1].failure.kind) == (400, "invalid")
        assert isinstance(events[-2], Used)
