"""The room for kept answers: what it holds, in which order it lets go, and that it never holds more than it may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.answers import OVERHEAD, Answers, Kept
from tests.llmgateway.caching.conftest import Clock


def kept(size: int = 0) -> Kept:
    return Kept(200, ((b"content-type", b"application/json"),), b"x" * size)


def test_what_was_used_least_recently_leaves_first() -> None:
    room = Answers(most=2)
    room.put(b"a", kept(), seconds=60)
    room.put(b"b", kept(), seconds=60)
    assert room.get(b"a") is not None
    room.put(b"c", kept(), seconds=60)
    assert [room.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_one_that_would_fill_the_room_by_itself_sends_nobody_away() -> None:
    room = Answers(most_bytes=2 * OVERHEAD + 100)
    room.put(b"a", kept(50), seconds=60)
    room.put(b"b", kept(OVERHEAD + 101), seconds=60)
    assert (room.get(b"a") is not None, room.get(b"b")) == (True, None)


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_is_too_old_already_is_not_held(seconds: int) -> None:
    room = Answers()
    room.put(b"a", kept(), seconds=seconds)
    assert (len(room), room.bytes) == (0, 0)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.integers(0, 3000), st.integers(1, 20)),
        st.tuples(st.just("get"), st.integers(0, 9), st.just(0), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.just(0), st.integers(1, 15)),
    ),
    max_size=60,
)


@given(operations=OPERATIONS)
def test_it_never_holds_more_than_it_may_and_never_gives_what_is_too_old(operations: list[tuple[str, int, int, int]]) -> None:
    clock, most = Clock(), 8 * OVERHEAD
    room = Answers(most_bytes=most, most=5, clock=clock)
    model: dict[bytes, tuple[int, float]] = {}
    for what, number, size, seconds in operations:
        key = b"%d" % number
        if what == "put":
            room.put(key, kept(size), seconds=seconds)
            model[key] = (size, clock.now + seconds)
        elif what == "wait":
            clock.now += seconds
        elif (found := room.get(key)) is not None:
            assert len(found[0].body) == model[key][0]
            assert clock.now < model[key][1]
        assert room.bytes <= most
        assert len(room) <= 5
    for key in list(model):
        clock.now += 100
        assert room.get(key) is None
    assert (len(room), room.bytes) == (0, 0)
