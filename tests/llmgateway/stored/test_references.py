"""What a body refers to and what an answer gives out, read without a house around it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.call import Meter
from dataplane.errors import BadRequest
from llmgateway.proxy import body as bodies
from llmgateway.proxy.stored import Noticing, of_event, of_response, reasoning_pins, references
from llmgateway.proxy.stored.references import sealed_id
from tests.fakes import answers

TEXT = {"type": "message", "role": "user", "content": "See file_id and conversation."}


def referred(body: dict[str, Any]) -> list[str]:
    return references(bodies.parse(json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"input": "Hello."}, []),
        ({"input": [TEXT], "metadata": {"file_id": "mine"}, "model": "gpt"}, []),
        ({"previous_response_id": "resp_1", "conversation": None}, ["resp_1"]),
        ({"conversation": "conv_1"}, ["conv_1"]),
        ({"conversation": {"id": "conv_1"}}, ["conv_1"]),
        (
            {"input": [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}, {"type": "image_generation_call", "id": "ig_1"}]},
            ["msg_1", "msg_2", "ig_1"],
        ),
        ({"input": [{"type": "message", "id": "msg_1", "role": "assistant", "content": []}]}, []),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}, {"type": "input_file", "file_id": "file_1"}]}
                ]
            },
            ["file_1"],
        ),
        (
            {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}, {"type": "code_interpreter", "container": "cntr_1"}]},
            ["vs_1", "vs_2", "cntr_1"],
        ),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}}]}, ["file_1"]),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "name": "f",
                        "parameters": {"properties": {"file_id": {"type": "string"}}, "examples": [{"file_id": "x"}]},
                    }
                ]
            },
            [],
        ),
        (
            {
                "input": [
                    {
                        "type": "message",
                        "content": [{"type": "output_text", "annotations": [{"type": "file_citation", "file_id": "file_1"}]}],
                    }
                ]
            },
            [],
        ),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]}]}, ["file_1"]),
        ({"input_file_id": "file_1", "endpoint": "/v1/responses"}, ["file_1"]),
    ],
)
def test_every_reference_is_found_and_nothing_else(body: dict[str, Any], ids: list[str]) -> None:
    assert referred(body) == ids


TWICE = [
    b'{"input": [{"id": "foreign", "id": "own"}]}',
    b'{"input": [{"type": "item_reference", "id": "foreign", "id": null}]}',
    b'{"input": [{"type": "item_reference", "\\u0069d": "foreign", "id": "own"}]}',
    b'{"input": [{"type": "input_file", "file_id": "foreign", "file_id": "own"}]}',
    b'{"input": [{"type": "input_file", "file_id": "foreign", "file_id": null}]}',
    b'{"input": [{"type": "input_file", "\\u0066ile_id": "foreign", "file_id": "own"}]}',
    b'{"tools": [{"type": "file_search", "vector_store_ids": ["foreign"], "x": {}, "vector_store_ids": []}]}',
    b'{"tools": [{"type": "code_interpreter", "container": "foreign", "container": {"type": "auto", "file_ids": []}}]}',
]


@pytest.mark.parametrize("body", TWICE)
def test_a_reference_that_is_there_twice_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        references(bodies.parse(body))


@pytest.mark.parametrize(
    "text",
    ['the member "file_id"', "file_id", '{"file_id": "a", "file_id": "b"}', '\\"file_id\\": \\"a\\"', "container", "vector_store_ids"],
)
def test_text_that_speaks_of_references_is_none(text: str) -> None:
    assert referred({"input": [{"type": "message", "role": "user", "content": text}], "instructions": text}) == []
    assert referred({"input": [{"type": "message", "role": "user", "content": [text, {"file_id": text}]}]}) == [text]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8).filter(lambda name: name not in ("metadata", "results")), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(around=json_values, depth=st.integers(0, 40), ascii_only=st.booleans())
def test_a_file_is_found_however_deep_it_lies_and_whatever_lies_beside_it(around: Any, depth: int, ascii_only: bool) -> None:
    value: Any = {"type": "input_file", "file_id": "file_x", "beside": around}
    for level in range(depth):
        value = {"content": value} if level % 2 else [around, value]
    fields = bodies.parse(json.dumps({"input": value}, ensure_ascii=ascii_only).encode())
    assert "file_x" in references(fields)


def test_the_newest_encrypted_reasoning_is_what_tells_where_it_was_made() -> None:
    items = [{"type": "reasoning", "id": f"rs_{number}", "encrypted_content": f"sealed {number}"} for number in range(20)]
    fields = bodies.parse(json.dumps({"input": [TEXT, *items]}).encode())
    assert reasoning_pins(fields) == [sealed_id(f"sealed {number}") for number in range(12, 20)]
    assert references(fields) == []
    assert reasoning_pins(bodies.parse(b'{"input": "encrypted_content"}')) == []


ANSWER = {
    "id": "resp_1",
    "conversation": {"id": "conv_1"},
    "output": [
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "sealed", "summary": []},
        {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
    ],
}
ALL = [
    ("resp_1", "response"),
    ("conv_1", "conversation"),
    ("rs_1", "item"),
    (sealed_id("sealed"), "sealed"),
    ("ci_1", "item"),
    ("cntr_1", "container"),
]
UNSTORED = [("conv_1", "conversation"), (sealed_id("sealed"), "sealed"), ("cntr_1", "container")]


def test_an_answer_tells_all_that_it_gives_out() -> None:
    body = json.dumps(ANSWER).encode()
    assert of_response(body) == ALL
    assert of_response(body, stored=False) == UNSTORED
    assert of_response(json.dumps({**ANSWER, "store": False}).encode()) == UNSTORED
    assert of_response(b"<html>") == of_response(b'{"output": 7}') == of_event(b"[DONE]") == []


@given(cuts=st.lists(st.integers(0, 4000), max_size=12))
def test_a_stream_tells_its_response_with_the_first_event_however_it_is_split(cuts: list[int]) -> None:
    stream = (
        b"".join(answers.response_pieces())
        + b"event: response.output_item.done\n"
        + b'data: {"type":"response.output_item.done","item":{"id":"rs_9","encrypted_content":"sealed"}}\n\n'
    )
    marks = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    taken: list[tuple[str, str]] = []
    meter = Noticing(Meter(), taken.extend)
    out = b"".join(meter.feed(stream[start:stop]) for start, stop in itertools.pairwise(marks)) + meter.finish()
    assert out == stream
    assert taken[0] == ("resp_1", "response")
    assert set(taken) == {("resp_1", "response"), ("msg_1", "item"), ("rs_9", "item"), (sealed_id("sealed"), "sealed")}
