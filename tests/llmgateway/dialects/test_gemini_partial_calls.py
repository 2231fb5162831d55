"""Calls whose arguments come in pieces, as Vertex AI streams them to who asks for that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmgateway.proxy.conversation.events import fold
from llmgateway.proxy.conversation.parts import Signature, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.gemini.codec import DIALECT


def chunk(*parts: Any, **more: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}
    return b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\r\n\r\n"


def call(**members: Any) -> dict[str, Any]:
    return {"functionCall": members}


def piece(path: str, more: bool = False, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path, **value, **({"willContinue": True} if more else {})}


def read(*chunks: bytes) -> list[Any]:
    reader = DIALECT.reader()
    events = [event for data in chunks for event in reader.feed(data)] + reader.finish()
    return list(fold(events).candidates[0].parts)


def test_a_call_in_pieces_is_the_call_it_makes() -> None:
    parts = read(
        chunk({"text": "Let me see."}),
        chunk({**call(name="weather", id="c1", willContinue=True), "thoughtSignature": "c2ln"}),
        chunk(call(partialArgs=[piece("$.place.city", more=True, stringValue="Kö")], willContinue=True)),
        chunk(call(partialArgs=[piece("$.place.city", stringValue="ln"), piece("$.days", numberValue=2)], willContinue=True)),
        chunk(call(partialArgs=[piece("$.of[0]", stringValue="rain"), piece("$.of[1].at", boolValue=True)], willContinue=True)),
        chunk(call(partialArgs=[piece("$['a.b']", nullValue="NULL_VALUE")], willContinue=True)),
        chunk(call()),
        chunk(call(name="time", args={"zone": "UTC"}), finishReason="STOP"),
    )
    assert isinstance(parts[0], Text)
    first, second = parts[1:]
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    expected = {"place": {"city": "Köln"}, "days": 2, "of": ["rain", {"at": True}], "a.b": None}
    assert (first.id, first.name, json.loads(first.arguments)) == ("c1", "weather", expected)
    assert first.signature == Signature("gemini", "c2ln")
    assert (second.name, json.loads(second.arguments)) == ("time", {"zone": "UTC"})


def test_a_call_that_is_cut_off_is_told_as_far_as_it_came() -> None:
    parts = read(
        chunk(call(name="weather", willContinue=True)),
        chunk(call(partialArgs=[piece("$.city", more=True, stringValue="Kö")], willContinue=True), finishReason="MAX_TOKENS"),
    )
    assert [(part.name, json.loads(part.arguments)) for part in parts] == [("weather", {"city": "Kö"})]


@pytest.mark.parametrize("path", ["", "city", "$", "$[0]", "$.a[", "$..a", "$.a[7]", "$." + "a." * 80 + "b"])
def test_a_path_that_is_none_can_not_be_read(path: str) -> None:
    with pytest.raises(Unreadable):
        read(chunk(call(name="weather", partialArgs=[piece(path, stringValue="x")])))


@example([("$.a.b", True, {"stringValue": "s"}), ("$.a", False, {"numberValue": 7}), ("$.a.b", False, {"stringValue": "t"})])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["$.a", "$.a.b", "$.a[0]", "$.b[0].c", "$.b[1]", "$['x y']"]),
            st.booleans(),
            st.sampled_from([{"stringValue": "s"}, {"numberValue": 1.5}, {"boolValue": False}, {"stringValue": 7}, {}]),
        ),
        max_size=6,
    )
)
def test_pieces_in_any_order_are_a_call_or_can_not_be_read(pieces: list[tuple[str, bool, dict[str, Any]]]) -> None:
    told = [piece(path, more=more, **value) for path, more, value in pieces]
    try:
        parts = read(chunk(call(name="f", willContinue=True)), chunk(call(partialArgs=told)), chunk(finishReason="STOP"))
    except Unreadable:
        return
    assert [type(json.loads(part.arguments)) for part in parts] == [dict]
