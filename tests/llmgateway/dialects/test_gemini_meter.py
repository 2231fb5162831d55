"""Usage, read on the way between a caller and a vendor of the Gemini dialect: nothing is changed, everything is counted."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import Garbled, UpstreamFailed
from dataplane.sse import MAX_EVENT
from llmgateway.proxy.dialects.gemini.meter import Elements, GeminiMeter
from llmgateway.proxy.dialects.gemini.usage import GeminiUsage, from_gemini
from tests.fakes.cassettes import Cassette, cases
from tests.llmgateway.dialects.gemini_kit import recorded

STREAMED = [cassette for cassette in recorded() if cassette.streamed]
ANSWERED = [cassette for cassette in recorded() if cassette.status == 200 and not cassette.streamed]


def fed(data: bytes, size: int) -> tuple[GeminiMeter, bytes]:
    meter = GeminiMeter()
    passed = b"".join(meter.feed(data[place : place + size]) for place in range(0, len(data), size))
    return meter, passed + meter.finish()


def told(usage: dict[str, Any]) -> dict[str, int] | None:
    return from_gemini(msgspec.convert(usage, GeminiUsage))


def chunks(cassette: Cassette) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in cassette.answer.decode().splitlines() if line.startswith("data: ")]


def as_array(cassette: Cassette) -> bytes:
    """What the vendor sends of the same without `alt=sse`."""
    return b"[" + b"\n,\r\n".join(json.dumps(chunk, indent=2, ensure_ascii=False).encode() for chunk in chunks(cassette)) + b"\n]"


@pytest.mark.parametrize("cassette", cases(ANSWERED))
def test_a_whole_answer_is_counted_as_its_vendor_says(cassette: Cassette) -> None:
    meter = GeminiMeter()
    assert meter.whole(cassette.answer) == cassette.answer
    assert meter.usage() == told(json.loads(cassette.answer)["usageMetadata"])
    assert not meter.failed


@pytest.mark.parametrize("cassette", cases(STREAMED))
@pytest.mark.parametrize("size", [1, 100, 10**6])
@pytest.mark.parametrize("array", [False, True], ids=["sse", "array"])
def test_a_stream_passes_unchanged_and_is_counted_by_its_last_chunk(cassette: Cassette, size: int, array: bool) -> None:
    data = as_array(cassette) if array else cassette.answer
    meter, passed = fed(data, size)
    assert passed == data
    assert meter.usage() == told(chunks(cassette)[-1]["usageMetadata"])
    assert meter.complete is array
    assert not meter.failed


@pytest.mark.parametrize("cassette", cases(STREAMED))
def test_what_is_left_unfinished_is_an_estimate(cassette: Cassette) -> None:
    early = chunks(cassette)[:-1]
    if not early:
        return
    meter, _ = fed(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in early), 1000)
    assert meter.usage() is None
    known = told(early[-1]["usageMetadata"])
    assert known is not None
    assert meter.partial() == {**known, "output": max(known["output"], len(early))}


VALUES = st.recursive(
    st.none() | st.integers() | st.text('{}[]"\\é,: a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}[]"\\b', max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text('{}[]"\\b', max_size=3), VALUES, max_size=3)


@given(st.lists(OBJECTS, max_size=4), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_cut_into_its_elements_wherever_its_bytes_are_split(
    values: list[Any], size: int, indent: int | None, plain: bool
) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=plain).encode()
    elements = Elements()
    passed, found = b"", []
    for place in range(0, len(data), size):
        block, ended = elements.feed(data[place : place + size])
        passed += block
        found += ended
    assert [json.loads(one) for one in found] == values
    assert passed + elements.rest == data
    assert elements.closed


def broken(data: bytes) -> bytes:
    meter = GeminiMeter()
    return meter.feed(data) + meter.broken(UpstreamFailed("The upstream died."), "req_1")


def test_a_broken_array_ends_as_json_with_the_error_behind_what_had_passed() -> None:
    first, last = json.loads(broken(b'[{"candidates":[{"content":{"parts":[{"text":"]}"}]}}]}\n,\r\n{"candi'))
    assert first["candidates"][0]["content"]["parts"] == [{"text": "]}"}]
    assert (last["error"]["code"], last["error"]["status"]) == (502, "UNAVAILABLE")


@pytest.mark.parametrize("begin", [b"[", b'[{"cand', b" \n["])
def test_an_array_that_broke_before_its_first_element_holds_the_error_alone(begin: bytes) -> None:
    (only,) = json.loads(broken(begin))
    assert only["error"]["details"][0]["metadata"] == {"request_id": "req_1"}


def test_an_array_that_has_ended_gets_nothing_more() -> None:
    assert broken(b"[{}]") == b"[{}]"


def test_a_broken_stream_of_events_ends_with_an_event() -> None:
    data = broken(b'data: {"candidates":[]}\n\ndata: {"cand')
    head, last = data.strip().split(b"\n\n")
    assert head == b'data: {"candidates":[]}'
    assert json.loads(last.removeprefix(b"data: "))["error"]["message"] == "The upstream died."


@pytest.mark.parametrize("data", [b'data: {"error":{"code":503}}\n\n', b'[{"candidates":[]},{"error":{"code":503}}]'])
def test_an_error_under_a_status_of_success_is_seen(data: bytes) -> None:
    meter, _ = fed(data, 5)
    assert meter.failed


def test_empty_bytes_before_the_first_are_passed_at_once() -> None:
    meter = GeminiMeter()
    assert meter.feed(b"\n ") == b"\n "
    assert meter.feed(b"[{}") == b"[{}"
    assert meter.feed(b"]") == b"]"


def test_an_element_without_end_is_refused() -> None:
    meter = GeminiMeter()
    meter.feed(b'[{"text":"')
    for _ in range(MAX_EVENT // 2**20 - 1):
        meter.feed(b"a" * 2**20)
    with pytest.raises(UpstreamFailed):
        meter.feed(b"a" * 2**20)


@pytest.mark.parametrize("body", [b"[]", b'{"usageMetadata":{"promptTokenCount":"many"}}', b'{"usageMetadata":{"promptTokenCount":-5}}'])
def test_an_answer_that_tells_no_usage_is_relayed_all_the_same(body: bytes) -> None:
    meter = GeminiMeter()
    assert meter.whole(body) == body
    assert meter.usage() is None


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"candidates":['])
def test_an_answer_that_is_not_json_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled) as raised:
        GeminiMeter().whole(body)
    assert raised.value.raw == body


def test_a_blocked_prompt_is_a_finished_call() -> None:
    meter, _ = fed(b'data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}\n\n', 9)
    assert meter.usage() == {"input": 4, "cached_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 0, "reasoning": 0}
