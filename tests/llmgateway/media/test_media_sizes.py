"""What is reserved covers what is assumed, whatever a call asks for, and nothing is charged twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from dataplane.money import Rates, atto_to_nano
from dataplane.snapshot import PriceRecord
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.media import sizes, told
from llmgateway.proxy.media.endpoints import MEDIA, RANKED, SPOKEN, Medium
from llmgateway.proxy.media.forms import Upload
from llmgateway.proxy.media.sizes import Size

DRAWN = MEDIA["/v1/images/generations"]
PRICES = [
    PriceRecord(ref="tokens", input="2", output="10", audio_input="6", audio_output="12"),
    PriceRecord(ref="images", input="0", output="0", image="0.04"),
    PriceRecord(ref="seconds", input="0", output="0", second="0.0001"),
    PriceRecord(ref="searches", input="0", output="0", request="0.002"),
    PriceRecord(ref="all", input="1", output="1", image="0.1", second="0.1", request="0.1"),
]
words = st.text(max_size=80)


def size_of(medium: Medium, **body: Any) -> Size:
    request: Any = None
    return medium.measure(Inbound(medium.endpoint, request, json.dumps({"model": "m", **body}).encode()))


def covers(size: Size) -> None:
    for price in PRICES:
        rates = Rates(price)
        settled = sizes.settled_with(size.likely, [rates])
        assert atto_to_nano(rates.charge(settled)) <= sizes.most_cost(rates, size.most), price.ref


@given(
    n=st.none() | st.integers(0, 12),
    size=st.sampled_from(["1024x1024", "1024x1536", "256x256", "3840x2160", "auto", "", "99999x99999", "huge"]),
    quality=st.sampled_from(["low", "medium", "high", "xhigh", "max", "auto", "standard", ""]),
    shown=st.none() | st.integers(0, 3),
)
def test_images_are_covered(n: int | None, size: str, quality: str, shown: int | None) -> None:
    covers(size_of(DRAWN, prompt="A cat", n=n, size=size, quality=quality, partial_images=shown))


@given(text=words, instructions=words)
def test_speech_is_covered(text: str, instructions: str) -> None:
    covers(size_of(SPOKEN, input=text, instructions=instructions))


@given(query=words, documents=st.lists(words | st.dictionaries(words, words, max_size=2), max_size=250))
def test_rankings_are_covered(query: str, documents: list[Any]) -> None:
    covers(size_of(RANKED, query=query, documents=documents))


@pytest.mark.parametrize("value", [-1, "1", 1.5, 10**12, True])
def test_a_number_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match="field n "):
        size_of(DRAWN, prompt="A cat", n=value)


@pytest.mark.parametrize("head", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(16), b"\xff\xfb" + bytes(60)])
def test_a_recording_whose_head_says_nothing_is_measured_by_its_bytes(head: bytes) -> None:
    most, likely = sizes._seconds(Upload("file", 160_000, head))
    assert (most, likely) == (161, 10)


@given(body=st.binary(max_size=60) | st.sampled_from([b"00:00:01,000 --> 99:59:59,999", b"--> 1:00:00.000", b"-->"]))
def test_any_text_has_a_last_mark_or_none(body: bytes) -> None:
    assert told.last_mark(body) >= 0


@pytest.mark.parametrize("read", [told.images, told.sound, told.ranking, told.judgement])
@pytest.mark.parametrize(
    "usage",
    ["null", "7", "[]", '"many"', '{"input_tokens": -1}', '{"input_tokens": 1.5}', '{"seconds": -1}', '{"total_tokens": "x"}', "{}"],
)
def test_usage_that_can_not_be_believed_is_none(read: told.Read, usage: str) -> None:
    assert read(f'{{"usage": {usage}, "meta": {usage}, "duration": {usage}, "data": null}}'.encode()) in ({}, {"seconds": 7})
