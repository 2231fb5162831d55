"""countTokens and embeddings of the Gemini dialect, in the shapes of the Gemini API and of Vertex."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.embedding import TASKS, EmbedAnswer, EmbedRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Text, same
from llmgateway.proxy.conversation.request import USER, Message, Request, Tool
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.gemini.count import count_answer, parse_count, parse_count_request, render_count
from llmgateway.proxy.dialects.gemini.embed import parse_batch, parse_embed, parse_embed_answer, render_embed, render_embed_answer
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as made
from tests.llmgateway.dialects.gemini_kit import FACTS, model_of, sdk, spelled, target

COUNTED = select(("google", "google-vertex"), ("countTokens",))
EMBEDDED = select(("google",), ("batchEmbedContents",))


@pytest.mark.parametrize("cassette", cases(COUNTED))
def test_a_recorded_count_is_asked_again_as_it_was(cassette: Cassette) -> None:
    request = parse_count_request(cassette.body, model_of(cassette))
    losses = Losses("gemini")
    body = render_count(request, Target("gemini", model_of(cassette), FACTS[cassette.provider]), losses)
    expected = spelled(cassette.body)
    expected.get("systemInstruction", {}).pop("role", None)
    assert body == {name: value for name, value in expected.items() if value != {}}
    assert (losses.fields, losses.hints) == ([], [])


@pytest.mark.parametrize("cassette", cases([one for one in COUNTED if one.status == 200]))
def test_a_recorded_count_is_read_and_the_official_sdk_reads_ours(cassette: Cassette) -> None:
    tokens = parse_count(json.loads(cassette.answer))
    assert tokens == json.loads(cassette.answer)["totalTokens"]
    seen = sdk(msgspec.json.encode(count_answer(tokens)), "application/json").count_tokens(model="m", contents="hi")
    assert seen.total_tokens == tokens


def test_a_whole_request_is_counted_where_the_gemini_api_wants_it() -> None:
    request = Request(system=[Text(text="Brief.")], messages=[Message(role=USER, parts=[Text(text="Hi")])], tools=[Tool(name="f")])
    body = render_count(request, target("gemini-2.5-pro"), Losses("gemini"))
    assert body["generateContentRequest"]["model"] == "models/gemini-2.5-pro"
    assert set(body["generateContentRequest"]) == {"model", "contents", "systemInstruction", "tools"}
    again = parse_count_request(body, "gemini-2.5-pro")
    assert same(again.messages, request.messages)
    assert same(again.tools, request.tools)
    assert again.model == "gemini-2.5-pro"


def test_a_request_and_contents_beside_it_are_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        parse_count_request({"contents": [], "generate_content_request": {"contents": []}}, "m")
    assert refused.value.param == "contents"


@pytest.mark.parametrize("body", [None, [], {"totalTokens": "x"}, {"totalTokens": -1}, {"error": {"code": 404}}])
def test_what_is_no_count_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        parse_count(body)


def test_a_count_of_nothing_is_zero() -> None:
    assert parse_count({}) == 0


# -- embeddings


@pytest.mark.parametrize("cassette", cases(EMBEDDED))
def test_a_recorded_batch_is_asked_again_as_it_was_and_answered(cassette: Cassette) -> None:
    request = parse_batch(cassette.body, model_of(cassette))
    assert (request.task, request.dimensions, request.extra) == ("query", 768, {})
    losses = Losses("gemini")
    posted = render_embed(request, target(model_of(cassette)), losses)
    assert (posted.method, posted.body) == ("batchEmbedContents", cassette.body)
    assert (losses.fields, losses.hints) == ([], [])
    body = json.loads(cassette.answer)
    answer = parse_embed_answer(body, "m")
    assert answer.vectors == [body["embeddings"][0]["values"]]
    assert render_embed_answer(answer, single=False) == body
    seen = sdk(msgspec.json.encode(render_embed_answer(answer, single=False)), "application/json").embed_content(model="m", contents=["hi"])
    assert [one.values for one in seen.embeddings or []] == answer.vectors


def test_one_text_is_asked_for_and_answered_in_its_own_shape() -> None:
    request = parse_embed({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "task_type": "CLUSTERING", "title": "t"}, "m")
    assert (request.inputs, request.single, request.task, request.title) == (["ab"], True, "clustering", "t")
    assert request.field("task") == "task_type"
    assert render_embed_answer(EmbedAnswer(vectors=[[0.5]]), single=True) == {"embedding": {"values": [0.5]}}
    assert parse_embed_answer({"embedding": {"values": [0.5]}}).vectors == [[0.5]]


def test_what_differs_within_a_batch_or_is_no_text_has_no_slot() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    body = {
        "requests": [
            {"content": {"parts": [{"text": "a"}, picture]}, "taskType": "CLASSIFICATION"},
            {"content": {"parts": [{"text": "b"}]}, "taskType": "CLUSTERING", "outputDimensionality": 5},
            {"content": {"parts": [{"text": "c"}]}, "taskType": "A_TASK_OF_TOMORROW", "embedContentConfig": {"autoTruncate": True}},
        ]
    }
    request = parse_batch(body, "m")
    assert (request.inputs, request.task, request.dimensions) == (["a", "b", "c"], "classification", None)
    assert set(request.extra) == {
        "requests[0].content.parts[1].inlineData",
        "requests[1].taskType",
        "requests[1].outputDimensionality",
        "requests[2].taskType",
        "requests[2].embedContentConfig.autoTruncate",
    }
    losses = Losses("gemini")
    render_embed(request, target(), losses)
    assert losses.fields == list(request.extra)


@pytest.mark.parametrize(
    ("request_", "fields", "hints"),
    [
        (EmbedRequest(encodings=["int8"], named={"encodings": "embedding_types"}), ["embedding_types"], []),
        (EmbedRequest(truncate="start"), ["truncate"], []),
        (EmbedRequest(truncate="none"), ["truncate"], []),
        (EmbedRequest(truncate="end", encodings=["base64"], user="u"), [], ["user"]),
    ],
)
def test_what_googles_vectors_lack_is_named(request_: EmbedRequest, fields: list[str], hints: list[str]) -> None:
    losses = Losses("gemini")
    render_embed(request_, target(), losses)
    assert (losses.fields, losses.hints) == (fields, hints)


def test_vertex_is_asked_and_read_in_its_own_shape() -> None:
    losses = Losses("gemini")
    request = EmbedRequest(inputs=["a", "b"], dimensions=5, task="document", title="t", truncate="none")
    posted = render_embed(request, target("text-embedding-005", "google-vertex"), losses)
    instances = [{"content": text, "task_type": "RETRIEVAL_DOCUMENT", "title": "t"} for text in ("a", "b")]
    assert posted == ("predict", {"instances": instances, "parameters": {"outputDimensionality": 5, "autoTruncate": False}})
    assert losses.fields == []
    predictions = [{"embeddings": {"values": [0.5, 1], "statistics": {"token_count": count, "truncated": False}}} for count in (2, 3)]
    answer = parse_embed_answer({"predictions": predictions}, "text-embedding-005")
    assert answer.vectors == [[0.5, 1], [0.5, 1]]
    assert answer.usage["input"] == 5


@pytest.mark.parametrize(
    "body", [None, {}, {"embeddings": {}}, {"embeddings": [{}]}, {"embedding": {"values": ["x"]}}, {"predictions": [1]}]
)
def test_what_has_no_vectors_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        parse_embed_answer(body)


@pytest.mark.parametrize(
    "body", [[], {}, {"content": []}, {"content": {"parts": [{"text": 1}]}}, {"content": {}, "outputDimensionality": "x"}]
)
def test_a_body_of_wrong_types_is_refused(body: Any) -> None:
    with pytest.raises(BadRequest):
        parse_embed(body, "m")


@given(
    st.builds(
        EmbedRequest,
        model=st.just("m"),
        inputs=st.lists(made.texts, min_size=1, max_size=3),
        dimensions=st.none() | st.integers(1, 4000),
        task=st.sampled_from(("", *TASKS)),
        title=st.just("") | made.texts,
    )
)
def test_any_request_for_vectors_says_the_same_when_it_is_read_again(request_: EmbedRequest) -> None:
    losses = Losses("gemini")
    again = parse_batch(render_embed(request_, target("m"), losses).body, "m")
    assert same(again, request_)
    assert losses.fields == []
