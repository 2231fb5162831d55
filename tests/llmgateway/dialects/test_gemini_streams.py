"""Streams of the Gemini dialect: what is one part and what is two, what comes late, errors in the middle, other vendors' events."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from google.genai import errors
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import Answer, Failure
from llmgateway.proxy.conversation.events import Beat, Begin, Cited, Close, Delta, Done, Event, Failed, Fold, Open, Signed, Stop, Used, fold
from llmgateway.proxy.conversation.parts import Audio, Citation, Image, Reasoning, Signature, Text, ToolCall, same
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.gemini.codec import DIALECT
from llmgateway.proxy.dialects.gemini.meter import ALIVE
from llmgateway.proxy.dialects.gemini.stream_out import GeminiWriter, writer_array
from tests.llmgateway.dialects import strategies as made
from tests.llmgateway.dialects.gemini_kit import asked, parsed, read_in, sdk, unsigned_texts


def sse(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode({"responseId": "r-1", "modelVersion": "m", **chunk}) + b"\r\n\r\n" for chunk in chunks)


def chunk(*parts: dict[str, Any], reason: str = "", index: int = 0, **more: Any) -> dict[str, Any]:
    ended = {"finishReason": reason} if reason else {}
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": index, **ended, **more}]}


def events_of(*chunks: dict[str, Any]) -> list[Event]:
    return read_in(sse(*chunks), (3, 1, 5))


def answer_of(*chunks: dict[str, Any]) -> Answer:
    return fold(events_of(*chunks))


def write(events: list[Event], writer: GeminiWriter | None = None) -> bytes:
    out = writer or DIALECT.writer(asked())
    return b"".join(out.write(event) for event in events)


def test_texts_of_one_kind_are_one_part_and_a_signed_one_stands_alone() -> None:
    answer = answer_of(
        chunk({"text": "Let ", "thought": True}),
        chunk({"text": "me see.", "thought": True}, {"text": "It "}),
        chunk({"text": "is"}),
        chunk({"text": "", "thoughtSignature": "c2ln"}),
        chunk({"text": "!"}),
        chunk({"functionCall": {"name": "f", "args": {"b": 1, "a": 2}}, "thoughtSignature": "c2lo"}),
        chunk({"text": ""}, reason="STOP"),
    )
    (candidate,) = answer.candidates
    assert same(
        candidate.parts,
        [
            Reasoning(text="Let me see."),
            Text(text="It is"),
            Text(text="", signature=Signature("gemini", "c2ln")),
            Text(text="!"),
            ToolCall(id="call_r-1_0", name="f", arguments='{"b":1,"a":2}', signature=Signature("gemini", "c2lo")),
        ],
    )
    assert candidate.stop == "tool"


def test_parts_are_opened_and_closed_in_their_order() -> None:
    events = events_of(chunk({"text": "a"}), chunk({"functionCall": {"name": "f"}}), chunk({"text": "b"}, reason="STOP"))
    assert [type(event) for event in events] == [Begin, Open, Delta, Close, Open, Delta, Close, Open, Delta, Close, Stop, Done]
    assert [event.index for event in events if isinstance(event, Open)] == [0, 1, 2]


def test_a_signature_is_told_before_its_part_is() -> None:
    events = events_of(chunk({"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"}, reason="STOP"))
    assert [type(event) for event in events[1:5]] == [Open, Signed, Delta, Close]


def test_candidates_of_one_stream_are_kept_apart() -> None:
    answer = answer_of(
        chunk({"text": "a"}, index=0),
        chunk({"text": "x"}, index=1),
        chunk({"text": "b"}, reason="STOP", index=0),
        chunk({"text": "y"}, reason="MAX_TOKENS", index=1),
    )
    assert [(one.parts, one.stop) for one in answer.candidates] == [([Text(text="ab")], "end"), ([Text(text="xy")], "length")]


def test_counts_are_replaced_and_told_only_when_they_change() -> None:
    counts = [{"promptTokenCount": 3}, {"promptTokenCount": 3}, {"promptTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}]
    events = events_of(*({**chunk({"text": "a"}, reason="STOP"), "usageMetadata": count} for count in counts))
    told = [event.usage for event in events if isinstance(event, Used)]
    assert [(usage["input"], usage["output"], usage["reasoning"]) for usage in told] == [(3, 0, 0), (3, 7, 2)]


def test_sources_that_come_with_the_last_chunk_stand_on_the_text() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example"}}],
        "groundingSupports": [{"segment": {"startIndex": 2, "endIndex": 5, "text": "°C"}, "groundingChunkIndices": [0]}],
    }
    answer = answer_of(chunk({"text": "20"}), chunk({"text": "°C"}, reason="STOP", groundingMetadata=grounding))
    (part,) = answer.candidates[0].parts
    assert isinstance(part, Text)
    assert [(one.url, one.start, one.end) for one in part.citations] == [("https://a.example", 2, 4)]
    again = fold(read_in(write(events_of(chunk({"text": "20"}), chunk({"text": "°C"}, reason="STOP", groundingMetadata=grounding)))))
    assert same(again.candidates, answer.candidates)


TEXTS = st.lists(st.tuples(st.text(max_size=3), st.booleans(), st.integers(0, 1)), max_size=5)


@given(TEXTS)
def test_a_plain_chunk_says_the_same_as_one_with_something_unknown(texts: list[tuple[str, bool, int]]) -> None:
    told = [{"text": text, **({"thought": True} if thought else {})} for text, thought, _ in texts]
    counts = [{"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": number}} for number in range(len(texts))]
    chunks = [{**chunk(part, index=index), **count} for part, (_, _, index), count in zip(told, texts, counts, strict=True)]
    ends = [chunk(reason="STOP", index=index) for index in sorted({index for _, _, index in texts})]
    odd = [{**one, "somethingNew": {"x": 1}} for one in (*chunks, *ends)]
    assert events_of(*chunks, *ends) == events_of(*odd)


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=6))
def test_sound_in_chunks_is_one_sound(pieces: list[bytes]) -> None:
    parts = [{"inlineData": {"mimeType": "audio/L16;rate=24000", "data": base64.b64encode(piece).decode()}} for piece in pieces]
    (part,) = answer_of(*(chunk(part) for part in parts), chunk(reason="STOP")).candidates[0].parts
    assert isinstance(part, Audio)
    assert base64.b64decode(part.data) == b"".join(pieces)
    assert part.media_type == "audio/L16;rate=24000"


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        sse(chunk({"text": "Half"})),
        sse(chunk({"text": "a"}, reason="STOP"), chunk({"text": "b"}, index=1)),
        sse({"usageMetadata": {"promptTokenCount": 4}}),
        b": nothing but comments\n\n",
    ],
    ids=["nothing", "no reason", "one of two", "only counts", "comments"],
)
def test_a_stream_that_was_cut_short_is_never_done(cut: bytes) -> None:
    assert not any(isinstance(event, Done) for event in read_in(cut, (4,)))


def test_a_last_event_without_its_empty_line_counts() -> None:
    assert isinstance(read_in(sse(chunk({"text": "a"}, reason="STOP")).rstrip(), (4,))[-1], Done)


@pytest.mark.parametrize(
    "data", [b"data: {\n\n", b"data: []\n\n", b'data: {"candidates": 5}\n\n', b"data: \xff\n\n", b'data: {"candidates":[{"index":-1}]}\n\n']
)
def test_a_broken_event_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        DIALECT.reader().feed(data)


def test_an_error_in_the_middle_is_a_failure_and_nothing_follows() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    events = events_of(chunk({"text": "Ha"}), error, chunk({"text": "lf"}, reason="STOP"))
    assert isinstance(events[-1], Failed)
    assert events[-1].failure == Failure(status=503, kind="overloaded", message="The model is overloaded.", code="UNAVAILABLE")


def test_a_failure_is_raised_by_the_official_sdk_and_nothing_follows() -> None:
    writer = DIALECT.writer(asked())
    data = write([Begin("x", "m", 0), Failed(Failure(status=529, kind="overloaded", message="Busy.")), Done()], writer)
    assert writer.write(Delta(0, 0, "more")) == b""
    with pytest.raises(errors.APIError) as raised:
        list(sdk(data).generate_content_stream(model="m", contents="hi"))
    assert (raised.value.code, raised.value.status, raised.value.message) == (529, "UNAVAILABLE", "Busy.")


def test_an_array_that_fails_is_still_json() -> None:
    data = write(
        [Begin("x", "m", 0), Open(0, 0, Text(text="")), Delta(0, 0, "Ha"), Failed(Failure(status=500, kind="server", message="No."))],
        writer_array(asked()),
    )
    first, last = json.loads(data)
    assert first["candidates"][0]["content"]["parts"] == [{"text": "Ha"}]
    assert last["error"]["code"] == 500


def test_a_sign_of_life_disturbs_neither_form_nor_the_official_sdk() -> None:
    events: list[Event] = [
        Begin("x", "m", 0),
        Beat(),
        Open(0, 0, Text(text="")),
        Beat(),
        Delta(0, 0, "Hi"),
        Beat(),
        Close(0, 0),
        Stop(0, "end"),
        Beat(),
        Done(),
    ]
    data = write(events)
    assert data.count(ALIVE + b"data: ") >= 1
    assert "".join(one.text or "" for one in sdk(data).generate_content_stream(model="m", contents="hi")) == "Hi"
    assert len(json.loads(write(events, writer_array(asked())))) == 2


def test_a_call_is_written_whole_and_texts_as_they_come() -> None:
    events: list[Event] = [Begin("x", "m", 0), Open(0, 0, Text(text="")), Delta(0, 0, "One")]
    writer = DIALECT.writer(asked())
    assert b"One" in write(events, writer)
    assert write([Close(0, 0), Open(0, 1, ToolCall(id="a", name="f")), Delta(0, 1, '{"x"'), Delta(0, 1, ":1}")], writer) == b""
    assert b'"args":{"x":1}' in writer.write(Close(0, 1))


def test_parts_that_are_open_at_once_are_written_one_behind_the_other() -> None:
    events: list[Event] = [
        Begin("x", "m", 0),
        Open(0, 0, Text(text="")),
        Open(0, 1, ToolCall(id="a", name="f")),
        Open(0, 2, Text(text="")),
        Delta(0, 2, "late"),
        Delta(0, 1, "{}"),
        Close(0, 1),
        Delta(0, 0, "early"),
        Close(0, 2),
        Close(0, 0),
        Stop(0, "tool"),
        Done(),
    ]
    (candidate,) = fold(read_in(write(events))).candidates
    assert same(candidate.parts, [Text(text="early"), ToolCall(id="a", name="f", arguments="{}"), Text(text="late")])


def test_what_was_thought_by_another_vendor_can_be_replayed_from_the_stream() -> None:
    """As a caller does that keeps each chunk as a content of its own."""
    signature = Signature("anthropic", "EqQB")
    events: list[Event] = [
        Begin("x", "m", 0),
        Open(0, 0, Reasoning()),
        Delta(0, 0, "be"),
        Delta(0, 0, "cause"),
        Signed(0, 0, signature),
        Close(0, 0),
        Open(0, 1, Reasoning(redacted=True)),
        Signed(0, 1, Signature("anthropic", "hidden")),
        Close(0, 1),
        Open(0, 2, Text(text="")),
        Delta(0, 2, "So."),
        Close(0, 2),
        Stop(0, "end"),
        Done(),
    ]
    seen = list(sdk(write(events)).generate_content_stream(model="m", contents="hi"))
    contents = [
        one.candidates[0].content.model_dump(mode="json", exclude_none=True, by_alias=True)
        for one in seen
        if one.candidates and one.candidates[0].content
    ]
    parts = [part for message in parsed({"contents": contents}).messages for part in message.parts]
    kept = [part for part in parts if not (isinstance(part, Text) and not part.text)]
    assert same(
        kept,
        [
            Reasoning(text="because", signature=signature),
            Reasoning(redacted=True, signature=Signature("anthropic", "hidden")),
            Text(text="So."),
        ],
    )


def test_summaries_are_told_as_thoughts_with_a_line_between() -> None:
    events: list[Event] = [
        Begin("x", "m", 0),
        Open(0, 0, Reasoning(id="rs_1")),
        Delta(0, 0, "A", 0),
        Delta(0, 0, "B", 1),
        Delta(0, 0, "C", 1),
        Close(0, 0),
        Stop(0, "end"),
        Done(),
    ]
    (candidate,) = fold(read_in(write(events))).candidates
    assert same(candidate.parts, [Reasoning(text="A\n\nBC")])


def test_a_call_that_was_cut_off_is_told_as_malformed() -> None:
    events: list[Event] = [
        Begin("x", "m", 0),
        Open(0, 0, ToolCall(id="a", name="f")),
        Delta(0, 0, '{"x'),
        Close(0, 0),
        Stop(0, "tool"),
        Done(),
    ]
    answer = fold(read_in(write(events)))
    assert (answer.candidates[0].parts, answer.candidates[0].native_stop) == ([], "MALFORMED_FUNCTION_CALL")


def test_a_citation_that_comes_behind_its_text_is_told_at_the_end() -> None:
    cited = Citation("url", url="https://a.example", start=0, end=2)
    events: list[Event] = [
        Begin("x", "m", 0),
        Open(0, 0, Text(text="")),
        Delta(0, 0, "Hi"),
        Cited(0, 0, cited),
        Close(0, 0),
        Stop(0, "end"),
        Done(),
    ]
    last = list(sdk(write(events)).generate_content_stream(model="m", contents="hi"))[-1]
    assert last.candidates is not None
    grounding = last.candidates[0].grounding_metadata
    assert grounding is not None
    assert [chunk.web.uri for chunk in grounding.grounding_chunks or [] if chunk.web] == ["https://a.example"]


OWN = st.builds(Signature, st.just("gemini"), made.base64_data)
PARTS = (
    made.plain_texts()
    | st.builds(ToolCall, id=made.ids, name=made.names, arguments=made.arguments, signature=st.none() | OWN)
    | st.builds(Image, data=made.base64_data, media_type=st.just("image/png"))
    | st.builds(Text, text=made.texts, signature=OWN)
    | st.builds(Reasoning, text=made.texts, signature=st.none() | OWN)
)


@given(
    made.streams(made.answers(part=PARTS, most=2, usage=made.usages(written=False))), st.lists(st.integers(1, 40), min_size=1, max_size=4)
)
def test_any_stream_says_the_same_when_it_is_read_again(events: list[Event], sizes: list[int]) -> None:
    answer = fold(events)
    folding = Fold()
    for event in read_in(write(events), sizes):
        folding.add(event)
    assert folding.done
    assert same(unsigned_texts(folding.answer), unsigned_texts(answer))


@given(st.lists(made.json_values | st.builds(chunk, made.json_objects, reason=st.sampled_from(["", "STOP"])), max_size=4))
def test_any_json_in_a_stream_is_read_or_unreadable(values: list[Any]) -> None:
    data = b"".join(b"data: " + msgspec.json.encode(value) + b"\n\n" for value in values)
    try:
        events = read_in(data, (7,))
    except Unreadable:
        return
    fold(events)
    write(events)
