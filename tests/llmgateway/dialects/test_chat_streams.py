"""The odd things that vendors of OpenAI's chat dialect do in streams, and what is told to its callers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Cited,
    Close,
    Delta,
    Done,
    Event,
    Failed,
    Fold,
    Logprobs,
    Open,
    Signed,
    Sound,
    Stop,
    Used,
    fold,
    unfold,
)
from llmgateway.proxy.conversation.parts import Audio, Citation, Image, Reasoning, Refused, Signature, Text, ToolCall, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.llmgateway.dialects.chat_kit import asked

END = b"data: [DONE]\n\n"


def chunk(*deltas: Any, finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish} for delta in deltas or ({},)]
    return b"data: " + json.dumps({"id": "x", "model": "m", "created": 7, "choices": choices} | more).encode() + b"\n\n"


def events_of(*blocks: bytes) -> list[Event]:
    reader = DIALECT.reader()
    return [*[event for block in blocks for event in reader.feed(block)], *reader.finish()]


def parts_of(*blocks: bytes) -> list[Any]:
    return list(fold(events_of(*blocks)).candidates[0].parts)


def written(*events: Event, request: Request | None = None, body: Any = None) -> list[Any]:
    writer = DIALECT.writer(asked(body=body, request=request or Request(stream=True, stream_usage=True)))
    data = b"".join(writer.write(event) for event in events)
    lines = [line[6:] for line in data.decode().split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def deltas(chunks: list[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk != "[DONE]" and chunk.get("choices")]


def test_a_text_and_a_call_may_come_in_one_chunk() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    parts = parts_of(chunk({"role": "assistant", "content": "Hi", "tool_calls": [call]}, finish="tool_calls"), END)

    assert same(parts, [Text(text="Hi"), ToolCall(id="c", name="f", arguments="{}")])


def test_mixed_fragments_of_calls_are_joined_by_their_index() -> None:
    heads = [{"index": n, "id": f"c{n}", "function": {"name": f"f{n}", "arguments": ""}} for n in (0, 1)]
    pieces = [{"index": n, "function": {"arguments": text}} for n, text in ((1, "[1"), (0, "[0"), (1, "]"), (0, "]"))]

    parts = parts_of(*[chunk({"tool_calls": [piece]}) for piece in heads + pieces], chunk(finish="stop"), END)

    assert same(parts, [ToolCall(id="c0", name="f0", arguments="[0]"), ToolCall(id="c1", name="f1", arguments="[1]")])


def test_calls_with_the_same_index_and_other_ids_are_other_calls() -> None:
    calls = [{"index": 0, "id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in (0, 1)]

    parts = parts_of(*[chunk({"tool_calls": [call]}) for call in calls], chunk(finish="stop"), END)

    assert [part.id for part in parts] == ["c0", "c1"]


def test_calls_without_ids_get_the_same_ones_in_a_stream_and_in_a_whole_answer() -> None:
    calls = [{"id": "", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in ("f", "g")]
    whole = {"id": "x", "choices": [{"message": {"tool_calls": calls}, "finish_reason": "stop"}]}

    streamed = parts_of(chunk({"tool_calls": [call | {"index": n} for n, call in enumerate(calls)]}, finish="stop"), END)

    answer = DIALECT.parse_answer(whole)
    assert same(streamed, answer.candidates[0].parts)
    assert len({part.id for part in streamed}) == 2
    assert answer.candidates[0].stop == "tool"


def test_vendors_first_chunks_and_null_choices_are_no_part_of_the_answer() -> None:
    azure = b'data: {"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}\r\n\r\n'
    vllm = b'data:{"id":"x","model":"m","choices":null}\n\n'

    events = events_of(azure, b": PROCESSING\n\n", vllm, chunk({"content": "Hi"}, finish="stop"), END)

    assert events[:2] == [Beat(), Begin("x", "m", 0)]
    assert same(fold(events).candidates[0].parts, [Text(text="Hi")])
    assert isinstance(events[-1], Done)


def test_usage_on_every_chunk_counts_once_and_the_last_is_the_whole() -> None:
    counts = [{"prompt_tokens": 5, "completion_tokens": n} for n in (1, 2, 2)]

    events = events_of(*[chunk({"content": "a"}, usage=count) for count in counts], chunk(finish="stop"), END)

    assert [event.usage["output"] for event in events if isinstance(event, Used)] == [1, 2]


def test_reasoning_comes_in_any_vendors_field() -> None:
    fields = [
        {"reasoning_content": "a"},
        {"reasoning": "a"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
    ]

    for field in fields:
        assert same(parts_of(chunk(field), chunk({"content": "b"}, finish="stop"), END), [Reasoning(text="a"), Text(text="b")])


def test_details_of_reasoning_are_joined_and_their_text_counts_once() -> None:
    told = [{"text": "a"}, {"text": "b"}, {"signature": "sig"}]
    entries = [{"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0} | piece for piece in told]

    parts = parts_of(
        *[chunk({"reasoning": entry.get("text"), "reasoning_details": [entry]}) for entry in entries],
        chunk({"content": "c"}, finish="stop"),
        END,
    )

    signature = Signature("openai-chat", '{"format":"anthropic-claude-v1","signature":"sig"}')
    assert same(parts, [Reasoning(text="ab", signature=signature), Text(text="c")])


def test_refusals_sounds_images_and_sources_are_read() -> None:
    source = {"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "T", "start_index": 0, "end_index": 2}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}

    parts = parts_of(
        chunk({"audio": {"id": "a1"}}),
        chunk({"audio": {"data": "aG"}}),
        chunk({"audio": {"data": "k=", "transcript": "Hi"}}),
        chunk({"images": [image]}),
        chunk({"content": "Hi"}),
        chunk({"annotations": [source]}),
        chunk({"refusal": "No"}, finish="stop"),
        END,
    )

    cited = Citation(kind="url", url="https://example.com", title="T", start=0, end=2)
    assert same(
        parts,
        [
            Audio(audio_id="a1", data="aGk=", transcript="Hi"),
            Image(data="aGk=", media_type="image/png"),
            Text(text="Hi", citations=[cited]),
            Refused(text="No"),
        ],
    )


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"error": {"message": "Overloaded", "code": 503}}, "overloaded", 503),
        ({"error": {"message": "Too many", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}, "rate_limit", 429),
        ({"error": "Something broke"}, "server", 500),
        ({"message": "Something broke", "type": "server_error"}, "server", 500),
        ({"object": "error", "message": "maximum context length is 8192 tokens", "code": 400}, "context_length", 400),
        ({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}, "server", 500),
        ({"choices": [{"index": 0, "error": {"message": "Gone", "code": 502}}]}, "server", 502),
    ],
)
def test_an_error_in_the_stream_is_a_failure_and_the_end(error: dict[str, Any], kind: str, status: int) -> None:
    events = events_of(chunk({"content": "Hi"}), b"data: " + json.dumps(error).encode() + b"\n\n", END)

    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.failure.kind, failed.failure.status) == (kind, status)
    assert not any(isinstance(event, Done | Stop) for event in events)


def test_a_stream_that_was_cut_is_not_done() -> None:
    events = events_of(chunk({"content": "Hi"}))

    assert not any(isinstance(event, Done | Stop) for event in events)


def test_a_vendor_may_leave_the_end_mark_out_when_it_said_why_it_stopped() -> None:
    events = events_of(chunk({"content": "Hi"}), chunk(finish="length").rstrip(b"\n"))

    assert events[-2:] == [Stop(0, "length"), Done()]


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: \xff\n\n",
        b'data: {"id":"x","choices":{}}\n\n',
        b'data: {"id":"x","choices":[{"delta":{"content":5}}]}\n\n',
        b'data: {"id":"x","choices":[{"delta":{"tool_calls":[{"index":0,"id":"c"}]}}]}\n\n' + END,
        END,
    ],
)
def test_what_is_no_chunk_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        events_of(data)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"choices": []},
        {"choices": [{}]},
        {"error": {"message": "No"}},
        {"choices": [{"message": {}, "finish_reason": "error"}]},
    ],
)
def test_what_is_no_answer_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


SPOKEN: list[Event] = [Begin("x", "m", 7), Open(0, 0, Text(text="")), Delta(0, 0, "Hi"), Close(0, 0), Stop(0, "end")]
USED = Used({"input": 2, "cached_read": 3, "cache_write_5m": 4, "cache_write_1h": 0, "output": 6, "reasoning": 5})


def test_the_first_delta_has_the_role_and_the_usage_a_chunk_of_its_own() -> None:
    chunks = written(*SPOKEN, USED, Done())

    assert [delta.get("role") for delta in deltas(chunks)] == ["assistant", None, None]
    assert {(told["id"], told["model"], told["created"]) for told in chunks[:-1]} == {("x", "some-model", 7)}
    usage = chunks[-2]
    assert usage["choices"] == []
    assert (usage["usage"]["prompt_tokens"], usage["usage"]["completion_tokens"], usage["usage"]["total_tokens"]) == (9, 6, 15)
    assert usage["usage"]["prompt_tokens_details"] == {"cached_tokens": 3, "audio_tokens": 0, "cache_write_tokens": 4}
    assert usage["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5
    assert chunks[-1] == "[DONE]"


def test_usage_is_not_told_to_who_did_not_ask() -> None:
    chunks = written(*SPOKEN, USED, Done(), request=Request(stream=True))

    assert not any("usage" in told for told in chunks[:-1])


def test_a_failure_ends_the_stream_without_an_end_mark() -> None:
    chunks = written(*SPOKEN[:3], Failed(Failure(status=529, kind="overloaded", message="Later")), Done(), *SPOKEN)

    error = chunks[-1]["error"]
    assert (error["type"], error["code"], error["message"], error["request_id"]) == ("server_error", "overloaded", "Later", "0000-1111")
    assert len(chunks) == 3


def test_texts_that_come_at_once_are_told_one_after_the_other() -> None:
    chunks = written(
        Begin("x"),
        Open(0, 0, Text(text="")),
        Open(0, 1, Text(text="")),
        Delta(0, 1, "c"),
        Delta(0, 0, "a"),
        Close(0, 1),
        Delta(0, 0, "b"),
        Close(0, 0),
    )

    assert "".join(delta.get("content", "") for delta in deltas(chunks)) == "abc"


def test_sources_are_counted_from_the_beginning_of_the_message() -> None:
    source = Citation(kind="url", url="https://example.com", title="T", start=1, end=2)
    events = [Open(0, 0, Text(text="")), Delta(0, 0, "abc"), Close(0, 0), Open(0, 1, Text(text="")), Cited(0, 1, source), Delta(0, 1, "de")]

    told = [delta["annotations"] for delta in deltas(written(*events, Close(0, 1))) if "annotations" in delta]

    assert [(entry["url_citation"]["start_index"], entry["url_citation"]["end_index"]) for entry in told[0]] == [(4, 5)]


def test_callers_with_functions_are_told_a_function_call() -> None:
    events = unfold(fold([*SPOKEN[:1], Open(0, 0, ToolCall(id="c", name="f")), Delta(0, 0, '{"a":1}'), Close(0, 0), Stop(0, "tool")]))

    chunks = written(*events, body={"functions": [{"name": "f"}]})

    calls = [delta["function_call"] for delta in deltas(chunks) if "function_call" in delta]
    assert calls == [{"name": "f", "arguments": ""}, {"arguments": '{"a":1}'}]
    assert chunks[-2]["choices"][0]["finish_reason"] == "function_call"


def test_sound_and_log_probabilities_are_told() -> None:
    events: list[Event] = [
        Open(0, 0, Audio()),
        Sound(0, 0, "aGk="),
        Delta(0, 0, "Hi"),
        Close(0, 0),
        Logprobs(0, {"content": [{"token": "Hi"}]}),
    ]

    chunks = written(Begin("x"), *events)

    assert [delta["audio"] for delta in deltas(chunks) if "audio" in delta] == [
        {"id": "audio_0000-1111"},
        {"data": "aGk="},
        {"transcript": "Hi"},
    ]
    assert chunks[-1]["choices"][0]["logprobs"] == {"content": [{"token": "Hi"}]}


def test_a_foreign_signature_is_sealed_and_shown_text_is_told_as_it_comes() -> None:
    events: list[Event] = [Open(0, 0, Reasoning()), Delta(0, 0, "Hm"), Signed(0, 0, Signature("anthropic", "abc")), Close(0, 0)]

    told = deltas(written(Begin("x"), *events))

    assert [delta["reasoning_content"] for delta in told if "reasoning_content" in delta] == ["Hm"]
    assert told[-1]["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "format": "unknown", "text": "Hm", "signature": "ch1.anthropic.reasoning.abc"}
    ]


def test_an_upstream_house_keeps_what_it_sealed() -> None:
    events: list[Event] = [Begin("x"), Open(0, 0, Reasoning()), Delta(0, 0, "Hm"), Signed(0, 0, Signature("anthropic", "abc")), Close(0, 0)]
    writer = DIALECT.writer(asked())
    data = b"".join(writer.write(event) for event in [*events, Stop(0, "end"), Done()])

    folding = Fold()
    for event in events_of(data):
        folding.add(event)

    part = folding.answer.candidates[0].parts[0]
    assert part.signature == Signature("openai-chat", '{"signature":"ch1.anthropic.reasoning.abc"}')
    assert isinstance(part, Reasoning)
    assert part.text == "Hm"
