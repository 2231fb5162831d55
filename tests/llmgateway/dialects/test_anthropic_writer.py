"""How each kind of part is told in a stream of Messages."""

from __future__ import annotations

import pytest

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Cited,
    Close,
    Delta,
    Done,
    Event,
    Open,
    Signed,
    Sound,
    Stop,
    Used,
    fold,
    unfold,
)
from llmgateway.proxy.conversation.parts import (
    Audio,
    Citation,
    Image,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    same,
)
from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT
from tests.llmgateway.dialects.anthropic_kit import (
    as_the_client_streams,
    asked,
    one_block_at_a_time,
    payloads,
    read,
    write,
)

GEMINI = Signature("gemini", "s=")


def test_parts_that_come_together_are_told_one_after_the_other() -> None:
    one, other = ToolCall(id="a", name="f"), ToolCall(id="b", name="g")
    events: list[Event] = [
        Begin("m1", "m"),
        Open(0, 0, Text(text="")),
        Delta(0, 0, "Hi"),
        Open(0, 1, one),
        Open(0, 2, other),
        Delta(0, 2, '{"y":'),
        Delta(0, 1, "{}"),
        Delta(0, 2, "1}"),
        Delta(0, 0, "!"),
        Close(0, 0),
        Close(0, 2),
        Stop(0, "tool"),
        Done(),
    ]

    told = payloads(write(events))

    one_block_at_a_time(told)
    assert same(
        fold(read([write(events)])).candidates[0].parts,
        [
            Text(text="Hi!"),
            ToolCall(id="a", name="f", arguments="{}"),
            ToolCall(id="b", name="g", arguments='{"y":1}'),
        ],
    )


def test_text_is_told_as_soon_as_it_comes() -> None:
    writer = DIALECT.writer(asked())
    writer.write(Begin("m1", "m"))
    writer.write(Open(0, 0, Text(text="")))

    assert b'"text_delta","text":"Hi"' in writer.write(Delta(0, 0, "Hi"))


def test_counts_that_come_at_once_are_in_the_first_event_and_all_in_the_last() -> None:
    usage = {"input": 5, "cached_read": 2, "cache_write_5m": 3, "cache_write_1h": 0, "output": 7, "reasoning": 4}
    early = payloads(write([Begin("m1", "m"), Used({"input": 5, "cached_read": 2}), Beat(), Used(usage), Stop(0, "end"), Done()]))
    late = payloads(write([Begin("m1", "m"), Stop(0, "end"), Used(usage), Done()]))

    assert early[0]["message"]["usage"]["input_tokens"] == 5
    assert early[0]["message"]["usage"]["output_tokens"] == 0
    assert late[0]["message"]["usage"]["input_tokens"] == 0
    for told in (early, late):
        assert told[-2]["usage"]["input_tokens"] == 5
        assert told[-2]["usage"]["cache_read_input_tokens"] == 2
        assert told[-2]["usage"]["cache_creation_input_tokens"] == 3
        assert told[-2]["usage"]["output_tokens_details"] == {"thinking_tokens": 4}
    assert early[1] == {"type": "ping"}


@pytest.mark.parametrize(
    ("events", "blocks"),
    [
        ([Delta(0, 0, "Hi"), Signed(0, 0, GEMINI)], ["text", "ch1.gemini.prior.s="]),
        ([Signed(0, 0, GEMINI), Delta(0, 0, "Hi")], ["ch1.gemini.part.s=", "text"]),
        ([Signed(0, 0, GEMINI)], ["ch1.gemini.text.s="]),
        ([], []),
    ],
)
def test_a_signature_of_a_text_stands_before_it_or_behind_it(events: list[Event], blocks: list[str]) -> None:
    stream = write([Begin("m1", "m"), Open(0, 0, Text(text="")), *events, Close(0, 0), Stop(0, "end"), Done()])

    started = [event["content_block"] for event in payloads(stream) if event["type"] == "content_block_start"]
    assert [block.get("data") or block["type"] for block in started] == blocks
    if events:
        expected = fold([Open(0, 0, Text(text="")), *events])
        assert same(fold(read([stream])).candidates[0].parts, expected.candidates[0].parts)


def test_a_signature_of_a_call_that_comes_whole_stands_before_it() -> None:
    events: list[Event] = [Open(0, 0, ToolCall(id="a", name="f")), Delta(0, 0, "{}"), Signed(0, 0, GEMINI), Close(0, 0)]
    stream = write([Begin("m1", "m"), *events, Stop(0, "tool"), Done()])

    started = [event["content_block"] for event in payloads(stream) if event["type"] == "content_block_start"]
    assert [block["type"] for block in started] == ["redacted_thinking", "tool_use"]


def test_summaries_are_one_text_of_thinking_and_the_signature_comes_before_the_stop() -> None:
    signature = Signature("openai-responses", "e")
    answer = Answer(candidates=[Candidate(parts=[Reasoning(summary=["a", "b"], signature=signature), Text(text="Hi")], stop="end")])

    told = payloads(write(unfold(answer)))

    thought = "".join(event["delta"].get("thinking", "") for event in told if event["type"] == "content_block_delta")
    assert thought == "a\n\nb"
    kinds = [event.get("delta", event)["type"] for event in told[1:6]]
    assert kinds == ["content_block_start", "thinking_delta", "thinking_delta", "signature_delta", "content_block_stop"]
    assert told[4]["delta"]["signature"] == "ch1.openai-responses.reasoning.e"


def test_what_comes_whole_is_told_when_it_has_ended() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    events: list[Event] = [
        Begin("m1", "m"),
        Open(0, 0, Special(vendor="anthropic", kind="server_tool_use", raw=search)),
        Close(0, 0),
        Open(0, 1, Special(vendor="anthropic", kind="web_search_tool_result", raw=result)),
        Close(0, 1),
        Open(0, 2, Special(vendor="gemini", kind="executable_code", raw={})),
        Close(0, 2),
        Open(0, 3, Audio(media_type="audio/wav")),
        Sound(0, 3, "AA=="),
        Delta(0, 3, "Hello"),
        Close(0, 3),
        Open(0, 4, Image(data="AA==", media_type="image/png")),
        Close(0, 4),
        Open(0, 5, Reasoning(redacted=True)),
        Signed(0, 5, GEMINI),
        Close(0, 5),
        Stop(0, "end"),
        Done(),
    ]
    stream = write(events)

    one_block_at_a_time(payloads(stream))
    final = as_the_client_streams(stream)
    assert [block.type for block in final.content] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
        "text",
        "redacted_thinking",
    ]
    assert final.content[0].type == "server_tool_use"
    assert final.content[0].input == {"query": "x"}
    assert same(
        fold(read([stream])).candidates[0].parts,
        [
            Special(vendor="anthropic", kind="server_tool_use", raw=search),
            Special(vendor="anthropic", kind="web_search_tool_result", raw=result),
            Text(text="Hello"),
            Text(text="![image](data:image/png;base64,AA==)"),
            Reasoning(redacted=True, signature=GEMINI),
        ],
    )


def test_a_refusal_stops_by_refusing() -> None:
    stream = write([Begin("m1", "m"), Open(0, 0, Refused()), Delta(0, 0, "No."), Close(0, 0), Stop(0, "end"), Done()])

    final = as_the_client_streams(stream)
    assert final.stop_reason == "refusal"
    assert final.content[0].type == "text"
    assert final.content[0].text == "No."


def test_citations_are_told_in_their_block() -> None:
    citation = Citation("url", url="https://e.com", title="T")
    stream = write(
        [Begin("m1", "m"), Open(0, 0, Text(text="")), Delta(0, 0, "Hi"), Cited(0, 0, citation), Close(0, 0), Stop(0, "end"), Done()]
    )

    told = as_the_client_streams(stream).content[0]
    assert told.type == "text"
    assert told.citations is not None
    assert told.citations[0].type == "web_search_result_location"


def test_an_answer_that_calls_a_tool_stops_for_it_whatever_its_vendor_says() -> None:
    answer = Answer(candidates=[Candidate(parts=[ToolCall(id="a", name="f", arguments="{}")], stop="end")])

    assert payloads(write(unfold(answer)))[-2]["delta"]["stop_reason"] == "tool_use"
    assert DIALECT.render_answer(answer, asked())["stop_reason"] == "tool_use"


def test_signs_of_life_may_come_before_the_upstream_has_begun() -> None:
    told = payloads(write([Beat(), Begin("m1", "m"), Beat(), Stop(0, "end"), Done()]))

    assert [event["type"] for event in told] == ["ping", "message_start", "ping", "message_delta", "message_stop"]
    assert told[1]["message"]["id"] == "m1"


def test_only_the_first_candidate_is_told() -> None:
    answer = Answer(candidates=[Candidate(parts=[Text(text="one")], stop="end"), Candidate(parts=[Text(text="two")], stop="length")])

    assert same(fold(read([write(unfold(answer))])).candidates, answer.candidates[:1])
