"""Event streams: wherever the bytes were split and whatever ends the lines, nothing is changed and nothing held too long."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane import sse
from dataplane.errors import UpstreamFailed

ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=40).map(lambda text: text.encode())


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream with one kind of line end, and the data of its events."""
    end = draw(ends)
    stream, datas = b"", []
    for lines in draw(st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=6)):
        datas.append(b"\n".join(lines))
        stream += b"".join(b"data: " + line + end for line in lines) + end
    return stream, datas


@given(streams(), st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_same_bytes_and_the_same_events(made: tuple[bytes, list[bytes]], cuts: list[int]) -> None:
    stream, datas = made
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    splitter, out = sse.Splitter(), []
    for start, stop in pairwise(places):
        block = splitter.feed(stream[start:stop])
        out.append(block)
    assert b"".join(out) + splitter.rest == stream
    events = [event for event in sse.events(b"".join(out) + splitter.rest) if sse.data_of(event) is not None]
    assert [sse.data_of(event) for event in events] == datas


def test_what_is_complete_is_handed_on_at_once() -> None:
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert splitter.feed(b"\n\n") == b"data: 2\n\n"
    assert splitter.feed(b"data: 3\r\n\r\n") == b"data: 3\r\n\r\n"


def test_a_comment_is_no_data_and_stays_in_the_stream() -> None:
    block = b": still thinking\n\ndata:no blank after the colon\n\n"
    assert b"".join(sse.events(block)) == block
    assert [sse.data_of(event) for event in sse.events(block)] == [None, b"no blank after the colon"]


def test_an_endless_event_is_refused_before_it_fills_the_memory() -> None:
    splitter = sse.Splitter()
    for _ in range(sse.MAX_EVENT // 65536):
        splitter.feed(b"x" * 65536)
    with pytest.raises(UpstreamFailed):
        splitter.feed(b"x")


def test_an_event_of_ours_is_read_back() -> None:
    assert sse.event(b"{}", name=b"error") == b"event: error\ndata: {}\n\n"
    assert sse.data_of(sse.event(b"{}")) == b"{}"


def test_an_event_of_megabytes_in_small_chunks_costs_no_more_than_its_bytes() -> None:
    """Looking at all that is held with every chunk took 46 s of the worker for an event like this one."""
    event, splitter, started = b"data: " + b"x" * (4 << 20) + b"\n\n", sse.Splitter(), time.process_time()
    blocks = [block for start in range(0, len(event), 1000) if (block := splitter.feed(event[start : start + 1000]))]
    assert blocks == [event]
    assert time.process_time() - started < 3
