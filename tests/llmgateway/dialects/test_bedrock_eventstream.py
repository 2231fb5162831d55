"""AWS's binary event stream: any split, every type of header, and nothing that is broken gets through."""

from __future__ import annotations

import itertools
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.dialects.bedrock.eventstream import MAX_MESSAGE, Decoder, Id, Message, Millis, encode, event, exception
from llmgateway.proxy.dialects.dialect import Unreadable

PUBLISHED = {
    "empty": (b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff", {}, b""),
    "payload": (b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96", {}, b"{'foo':'bar'}"),
    "integer": (
        b"\x00\x00\x00+\x00\x00\x00\x0e4\x8b\xec{\x08event-id\x04\x00\x00\xa0\x0c{'foo':'bar'}\xd3\x89\x02\x85",
        {"event-id": 0xA00C},
        b"{'foo':'bar'}",
    ),
}
"""Messages from AWS's own test suite of the format."""

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=30),
    texts,
    st.integers(-(2**63), 2**63 - 1).map(Millis),
    st.binary(min_size=16, max_size=16).map(Id),
)
messages = st.builds(Message, st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=5), st.binary(max_size=200))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_message_is_read_and_written_byte_for_byte(name: str) -> None:
    raw, headers, payload = PUBLISHED[name]
    assert Decoder().feed(raw) == [Message(headers, payload)]
    if name != "integer":  # their vector takes a wider type than the number needs
        assert encode(headers, payload) == raw


@given(st.lists(messages, max_size=4), st.lists(st.integers(0, 400), max_size=8))
def test_messages_come_back_as_they_were_written_wherever_the_bytes_are_cut(sent: list[Message], cuts: list[int]) -> None:
    stream = b"".join(encode(message.headers, message.payload) for message in sent)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    decoder = Decoder()
    got = [message for start, end in itertools.pairwise(places) for message in decoder.feed(stream[start:end])]
    assert got == sent
    assert [{name: type(value) for name, value in message.headers.items()} for message in got] == [
        {name: type(value) for name, value in message.headers.items()} for message in sent
    ]
    assert decoder.rest == 0


def test_bytes_one_by_one_give_the_same_messages() -> None:
    stream = event("messageStart", b'{"role":"assistant"}') + exception("throttlingException", b'{"message":"slow down"}')
    decoder = Decoder()
    got = [message for byte in stream for message in decoder.feed(bytes((byte,)))]
    assert got == Decoder().feed(stream)
    assert got[0].header(":event-type") == "messageStart"
    assert got[1].header(":exception-type") == "throttlingException"
    assert got[1].header(":event-type") == ""


@given(messages, st.data())
def test_one_flipped_bit_is_always_noticed(message: Message, data: st.DataObject) -> None:
    raw = bytearray(encode(message.headers, message.payload))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unreadable):
        Decoder().feed(bytes(raw))


def framed(total: int, headers: int, rest: bytes = b"") -> bytes:
    """A message that tells these lengths, with right checksums."""
    lengths = struct.pack("!II", total, headers)
    message = lengths + struct.pack("!I", zlib.crc32(lengths)) + rest
    return message + struct.pack("!I", zlib.crc32(message))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(15, 0), (0, 0), (MAX_MESSAGE + 1, 0), (2**32 - 1, 0), (16, 1), (400_000, 200_000)],
    ids=["shorter than a frame", "nothing", "over the bound", "as long as can be told", "headers past the end", "headers over AWS's bound"],
)
def test_a_length_that_can_not_be_is_refused_before_anything_is_gathered(total: int, headers: int) -> None:
    with pytest.raises(Unreadable, match="length"):
        Decoder().feed(framed(total, headers)[:12])


@pytest.mark.parametrize(
    "head",
    [b"\x09event", b"\x01a\x07\x00\x09abc", b"\x01a\x04\x00\x00", b"\x01a\x63", b"\x01a\x09abc", b"\x01\xff\x00", b"\x01a"],
    ids=["name past the end", "text past the end", "number past the end", "unknown type", "uuid past the end", "name no UTF-8", "no type"],
)
def test_broken_headers_are_unreadable(head: bytes) -> None:
    with pytest.raises(Unreadable):
        Decoder().feed(framed(16 + len(head), len(head), head))


def test_a_message_that_has_not_ended_is_told_as_rest() -> None:
    decoder = Decoder()
    whole = event("messageStop", b"{}")
    assert decoder.feed(whole[:-1]) == []
    assert decoder.rest == len(whole) - 1
    assert len(decoder.feed(whole[-1:])) == 1
