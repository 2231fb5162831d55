"""What holds for any request, schema and tool's answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.conversation.parts import (
    Image,
    Reasoning,
    same,
)
from llmgateway.proxy.conversation.request import (
    Message,
    Request,
)
from llmgateway.proxy.dialects.gemini import results
from llmgateway.proxy.dialects.gemini.codec import DIALECT
from llmgateway.proxy.dialects.gemini.schemas import from_json_schema, to_json_schema
from tests.llmgateway.dialects import strategies as made
from tests.llmgateway.dialects.gemini_kit import written


@given(st.lists(made.texts | made.arguments, max_size=3), st.booleans())
def test_what_a_tool_answered_comes_back_word_for_word(texts: list[str], failed: bool) -> None:
    assert results.read(results.spell(texts, failed=failed)) == (texts, failed)


RESPONSES = st.dictionaries(
    st.sampled_from(["result", "error", "texts", "x"]), made.json_values | made.arguments | st.lists(made.texts), max_size=2
)


@given(RESPONSES)
def test_a_functions_response_comes_back_as_the_same_object(response: dict[str, Any]) -> None:
    texts, failed = results.read(response)
    assert results.spell(texts, failed=failed) == response


@pytest.mark.parametrize("text", ['{"result":"x"}', '{"error":"x"}', "{}", '{"texts":["a","b"]}', '{"a": 1}', '{"a":1}{', "{" * 5000])
def test_a_text_that_looks_like_an_envelope_stays_that_text(text: str) -> None:
    assert results.read(results.spell([text], failed=False)) == ([text], False)


GOOGLE_SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["STRING", "INTEGER", "NUMBER", "BOOLEAN"])},
        optional={
            "nullable": st.just(True),
            "description": made.texts,
            "format": st.just("int64"),
            "example": st.just("x"),
            "maxLength": st.just(4),
        },
    )
    | st.just({"type": "STRING", "enum": ["a", "b"], "nullable": True}),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("ARRAY"), "items": inner}, optional={"minItems": st.just(1)})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}, optional={"nullable": st.just(True)})
        | st.fixed_dictionaries(
            {"type": st.just("OBJECT"), "properties": st.dictionaries(made.names, inner, max_size=2)},
            optional={"required": st.just(["a"]), "propertyOrdering": st.just(["a"])},
        )
    ),
    max_leaves=6,
)


@given(GOOGLE_SCHEMAS)
def test_a_schema_of_googles_comes_back_from_json_schema(schema: dict[str, Any]) -> None:
    there = to_json_schema(schema, "schema")
    assert from_json_schema(there) == schema
    assert not any(word in str(there) for word in ("'STRING'", "'OBJECT'", "'nullable'", "'example'"))


USER_PARTS = made.plain_texts() | made.sounds | made.documents | st.builds(Image, data=made.base64_data, media_type=st.just("image/png"))
MODEL_PARTS = made.plain_texts() | made.tool_calls() | st.builds(Reasoning, text=made.texts, signature=made.signatures(("gemini",)))
SAYABLE = (
    "max_output",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "answers",
)


@given(made.requests(user=USER_PARTS, assistant=MODEL_PARTS, said=SAYABLE))
def test_a_request_of_another_dialect_says_the_same_when_google_reads_it(request: Request) -> None:
    body, losses = written(request)
    again = DIALECT.parse_request(body, request.model, request.stream)
    assert losses.fields == []
    assert same(again.system, request.system)
    assert same(merged(again.messages), merged(request.messages))
    assert same(again.tools, request.tools)
    assert same([again.tool_choice], [request.tool_choice])
    for slot in SAYABLE:
        assert getattr(again, slot) == getattr(request, slot)


def merged(messages: list[Message]) -> list[Message]:
    told: list[Message] = []
    for message in messages:
        if told and told[-1].role == message.role:
            told[-1] = Message(role=message.role, parts=[*told[-1].parts, *message.parts])
        else:
            told.append(Message(role=message.role, parts=list(message.parts)))
    return told
