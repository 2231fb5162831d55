"""Cohere's embeddings: the recorded exchanges and what callers of other dialects ask."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.embedding import EmbedRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import same
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from llmgateway.proxy.dialects.cohere.embed import parse_embed, parse_embed_answer, render_embed, render_embed_answer
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.providers import VENDORS
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn

FACTS = next(facts for facts in VENDORS if facts.slug == "cohere")
TARGET = Target("cohere-embed", "embed-v4.0", FACTS)
RECORDED = cases(select(["cohere"], ["embed"]))


def write(request: EmbedRequest) -> tuple[Any, Losses]:
    losses = Losses(TARGET.label)
    return render_embed(request, TARGET, losses), losses


@pytest.mark.parametrize("cassette", RECORDED)
def test_a_recorded_request_is_written_as_it_was_read(cassette: Cassette) -> None:
    request = parse_embed(cassette.body)
    losses = Losses("")
    written = render_embed(request, TARGET._replace(model=request.model), losses)
    assert written == {name: value for name, value in cassette.body.items() if value is not None}
    assert (losses.fields, losses.hints) == ([], [])
    assert request.task == "query"


@pytest.mark.parametrize("cassette", RECORDED)
def test_a_recorded_answer_is_written_as_it_was_read(cassette: Cassette) -> None:
    body = json.loads(cassette.answer)
    if cassette.status != 200:
        failure = DIALECT.parse_error(cassette.status, cassette.answer)
        assert (failure.kind, failure.message) == ("not_found", body["message"])
        return
    answer = parse_embed_answer(body, "embed-v4.0")
    assert answer.vectors == body["embeddings"]["float"]
    assert answer.usage["input"] == body["meta"]["billed_units"]["input_tokens"]
    again = render_embed_answer(answer, parse_embed(cassette.body))
    assert again["embeddings"] == body["embeddings"]
    assert again["texts"] == body["texts"]
    assert same(parse_embed_answer(again, "embed-v4.0").vectors, answer.vectors)
    assert parse_embed_answer(again).usage == answer.usage


def test_a_caller_that_can_not_say_what_a_vector_is_for_asks_for_documents() -> None:
    body, losses = write(EmbedRequest(inputs=["a"], encodings=["base64"], dimensions=256, user="u"))
    assert body == {
        "model": "embed-v4.0",
        "texts": ["a"],
        "input_type": "search_document",
        "embedding_types": ["float"],
        "output_dimension": 256,
    }
    assert (losses.fields, losses.hints) == ([], ["user"])


@pytest.mark.parametrize(
    ("slots", "field"),
    [
        ({"task": "fact_verification"}, "taskType"),
        ({"title": "t"}, "title"),
        ({"encodings": ["float", "int4"]}, "encodings"),
        ({"inputs": ["a"] * 97}, "inputs"),
        ({"extra": {"images": ["data:"]}}, "images"),
    ],
)
def test_what_cohere_can_not_embed_is_refused_by_its_callers_name(slots: dict[str, Any], field: str) -> None:
    _, losses = write(EmbedRequest(**{"inputs": ["a"], "named": {"task": "taskType"}, **slots}))
    assert losses.fields == [field]


def test_what_has_no_slot_is_kept() -> None:
    request = parse_embed({"model": "m", "input_type": "image", "images": ["data:image/png;base64,AA=="], "priority": 1, "max_tokens": 5})
    assert request.extra == {"input_type": "image", "images": ["data:image/png;base64,AA=="], "max_tokens": 5}
    assert request.hints == {"priority": 1}
    assert write(request)[0]["priority"] == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"texts": "a"}, "texts"),
        ({"texts": [1]}, "texts[0]"),
        ({"truncate": "MIDDLE"}, "truncate"),
        ({"output_dimension": "x"}, "output_dimension"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_embed(body)
    assert refused.value.param == param


def test_base64_and_other_forms_are_read() -> None:
    vector = [0.5, -2.0]
    text = base64.b64encode(struct.pack("<2f", *vector)).decode()
    answer = parse_embed_answer(
        {"id": "1", "embeddings": {"base64": [text], "int8": [[1, -2]]}, "meta": {"billed_units": {"images": 2, "image_tokens": 9}}}
    )
    assert answer.vectors == [vector]
    assert answer.others == {"base64": [text], "int8": [[1, -2]]}
    assert (answer.usage["images"], answer.usage["input"]) == (2, 9)
    assert parse_embed_answer({"embeddings": [[1, 2]]}).vectors == [[1.0, 2.0]]


@pytest.mark.parametrize(
    "body",
    [None, {}, {"embeddings": {}}, {"embeddings": {"float": [["a"]]}}, {"embeddings": {"base64": ["?"]}}, {"embeddings": {"float": "a"}}],
)
def test_what_are_no_embeddings_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        parse_embed_answer(body)


@settings(max_examples=40)
@given(drawn.json_values)
def test_no_json_makes_reading_crash(value: Any) -> None:
    for body in (value, {"texts": value}, {"embedding_types": value, "input_type": value, "truncate": value}):
        try:
            write(parse_embed(body))
        except BadRequest:
            continue
    for body in (value, {"embeddings": value, "meta": value}, {"embeddings": {"float": value, "base64": value}}):
        try:
            parse_embed_answer(body)
        except Unreadable:
            continue
