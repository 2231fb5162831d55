"""Interleaved parts, told one after another."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.events import Begin, Close, Delta, Done, Event, Open, Stop, fold
from llmgateway.proxy.conversation.parts import Text, same
from llmgateway.proxy.dialects.oneatatime import OneAtATime
from tests.llmgateway.dialects import strategies as drawn


def serial(events: list[Event]) -> list[Event]:
    order = OneAtATime()
    told = []
    for event in events:
        told += [*order.flush(), event] if isinstance(event, Stop) else order.feed(event)
    return told


@settings(max_examples=60)
@given(drawn.streams(drawn.answers()))
def test_each_part_ends_before_the_next_begins_and_nothing_is_lost(events: list[Event]) -> None:
    told = serial(events)
    assert same(fold(told), fold(events))
    assert sorted(map(repr, told)) == sorted(map(repr, events))
    open_now: list[int] = []
    for event in told:
        if isinstance(event, Open):
            assert open_now == []
            open_now.append(event.index)
        elif isinstance(event, Close):
            assert open_now == [event.index]
            open_now.clear()
        elif isinstance(event, Delta):
            assert open_now == [event.index]


def test_the_first_open_part_is_told_as_it_comes() -> None:
    order = OneAtATime()
    for event in (Begin(), Open(0, 0, Text(text="")), Delta(0, 0, "a")):
        assert order.feed(event) == [event]
    assert order.feed(Open(0, 1, Text(text=""))) == []
    assert order.feed(Delta(0, 1, "b")) == []
    assert order.feed(Delta(0, 0, "c")) == [Delta(0, 0, "c")]
    assert order.feed(Close(0, 0)) == [Close(0, 0), Open(0, 1, Text(text="")), Delta(0, 1, "b")]
    assert order.feed(Delta(0, 1, "d")) == [Delta(0, 1, "d")]


def test_parts_that_never_end_are_closed_when_the_candidate_does() -> None:
    events: list[Event] = [
        Open(0, 0, Text(text="")),
        Open(0, 1, Text(text="")),
        Delta(0, 1, "b"),
        Open(0, 2, Text(text="")),
        Stop(0, "end"),
        Done(),
    ]
    told = serial(events)
    assert [type(event).__name__ for event in told] == ["Open", "Close", "Open", "Delta", "Close", "Open", "Close", "Stop", "Done"]
    assert [event.index for event in told if isinstance(event, Close)] == [0, 1, 2]


def test_other_candidates_are_left_out() -> None:
    assert serial([Open(1, 0, Text(text="")), Delta(1, 0, "b"), Close(1, 0)]) == []


@given(st.lists(st.integers(0, 3), max_size=3))
def test_a_flush_of_nothing_tells_nothing(indexes: list[int]) -> None:
    order = OneAtATime()
    for index in dict.fromkeys(indexes):
        order.feed(Open(0, index, Text(text="")))
        order.feed(Close(0, index))
    assert order.flush() == []
