"""Vectors asked for in one dialect and made in another, as the official SDKs see them, and what that costs."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from google import genai
from google.genai import errors, types
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.conversation.embedding import EmbedAnswer, EmbedRequest
from llmgateway.proxy.dialects import openai_embeddings as codec
from llmgateway.proxy.dialects.dialect import Unreadable
from tests.fakes.cassettes import Cassette, cases, select
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, Reply, recorded, said

GEMINIS: dict[str, Any] = {"embeddings": [{"values": [0.25, -0.5]}, {"values": [0.125, 1.0]}]}
COHERES: dict[str, Any] = {
    "id": "c0",
    "embeddings": {"float": [[0.25, -0.5], [0.125, 1.0]]},
    "texts": ["one", "two"],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7}},
}
OPENAIS: dict[str, Any] = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [
        {"object": "embedding", "index": 1, "embedding": [0.125, 1.0]},
        {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]},
    ],
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}
VECTORS = [[0.25, -0.5], [0.125, 1.0]]


@pytest.fixture
def google(house: House) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=house.url)
    with genai.Client(api_key=house.key, http_options=options) as opened:
        yield opened


def embed(house: House, **body: Any) -> Any:
    return house.http.post("/v1/embeddings", json=body, headers={"authorization": f"Bearer {house.key}"})


def test_openais_sdk_gets_vectors_of_gemini_and_the_house_makes_their_base64(
    client: openai.OpenAI, house: House, provider: Provider
) -> None:
    provider.then(said(GEMINIS))

    answer = client.embeddings.create(model="vectors-google", input=["one", "two"], dimensions=2)

    assert [one.embedding for one in answer.data] == VECTORS
    assert [one.index for one in answer.data] == [0, 1]
    assert answer.model == "vectors-google"
    assert provider.last.path == "/v1beta/models/gemini-embedding-2:batchEmbedContents"
    assert provider.last.header("x-goog-api-key") == "sk-google"
    assert provider.last.json == {
        "requests": [
            {"model": "models/gemini-embedding-2", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2}
            for text in ("one", "two")
        ]
    }
    event = house.settled()
    assert event.estimated, "Gemini told no count"
    assert counted(event) == {"input": 2}
    assert answer.usage.prompt_tokens == 2, "what is told is what is booked"


def test_openais_sdk_gets_vectors_of_cohere_for_documents_unless_it_says_otherwise(
    client: openai.OpenAI, house: House, provider: Provider
) -> None:
    provider.fallback = said(COHERES)

    answer = client.embeddings.create(model="vectors-cohere", input=["one", "two"])
    client.embeddings.create(model="vectors-cohere", input=["one", "two"], extra_body={"input_type": "query"})

    assert [one.embedding for one in answer.data] == VECTORS
    assert answer.usage.prompt_tokens == 7
    assert [asked.path for asked in provider.asked] == ["/v2/embed", "/v2/embed"]
    assert provider.asked[0].json == {
        "model": "embed-v4.0",
        "texts": ["one", "two"],
        "input_type": "search_document",
        "embedding_types": ["float"],
    }
    assert provider.asked[1].json["input_type"] == "search_query"
    for event in house.all_settled(2):
        assert not event.estimated
        assert counted(event) == {"input": 7}
        assert event.cost == "0.000014"


@pytest.mark.parametrize("form", ["float", "base64"])
def test_vectors_come_in_the_form_that_was_asked_for(form: str, house: House, provider: Provider) -> None:
    provider.then(said(COHERES))

    answer = embed(house, model="vectors-cohere", input=["one", "two"], encoding_format=form).json()

    told = [one["embedding"] for one in answer["data"]]
    if form == "base64":
        told = [list(struct.unpack("<2f", base64.b64decode(text))) for text in told]
    assert told == VECTORS


def test_googles_sdk_gets_vectors_of_openai(google: genai.Client, house: House, provider: Provider) -> None:
    provider.then(said(OPENAIS))

    answer = google.models.embed_content(model="vectors", contents=["one", "two"], config={"output_dimensionality": 2})

    assert [one.values for one in answer.embeddings or ()] == VECTORS
    assert provider.last.path == "/v1/embeddings"
    assert provider.last.header("authorization") == "Bearer sk-openai"
    asked = {"model": "text-embedding-3-small", "input": ["one", "two"], "encoding_format": "float", "dimensions": 2}
    assert provider.last.json == asked
    event = house.settled()
    assert (counted(event), event.estimated) == ({"input": 5}, False)


def test_googles_sdk_gets_vectors_of_cohere_for_its_task(google: genai.Client, house: House, provider: Provider) -> None:
    provider.then(said({**COHERES, "embeddings": {"float": [[0.25, -0.5]]}}))

    answer = google.models.embed_content(model="vectors-cohere", contents="one", config={"task_type": "RETRIEVAL_QUERY"})

    assert [one.values for one in answer.embeddings or ()] == [[0.25, -0.5]]
    assert provider.last.json["input_type"] == "search_query"
    assert counted(house.settled()) == {"input": 7}


def test_one_text_is_answered_with_one_vector(house: House, provider: Provider) -> None:
    provider.then(said({**OPENAIS, "data": OPENAIS["data"][1:]}))

    answer = house.http.post(
        "/v1beta/models/vectors:embedContent", json={"content": {"parts": [{"text": "one"}]}}, headers={"x-goog-api-key": house.key}
    )

    assert answer.json() == {"embedding": {"values": [0.25, -0.5]}, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}


def test_a_task_that_a_dialect_lacks_is_refused_in_the_callers_own_or_told_as_dropped(
    google: genai.Client, house: House, provider: Provider
) -> None:
    with pytest.raises(errors.ClientError) as refused:
        google.models.embed_content(model="vectors", contents="one", config={"task_type": "RETRIEVAL_QUERY"})
    assert refused.value.code == 400
    assert "taskType" in (refused.value.message or "")
    assert provider.asked == []

    provider.then(said({**OPENAIS, "data": OPENAIS["data"][1:]}))
    answer = house.http.post(
        "/v1beta/models/vectors:embedContent",
        json={"content": {"parts": [{"text": "one"}]}, "taskType": "RETRIEVAL_QUERY"},
        headers={"x-goog-api-key": house.key, "x-customhouse-lossy": "allow"},
    )
    assert (answer.status_code, answer.headers["x-customhouse-dropped"]) == (200, "taskType")


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": [[1, 2], [3]]}, "input", "not_expressible"),
        ({"input": [1, 2, 3]}, "input", "not_expressible"),
        ({"input": []}, "input", "invalid_type"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": ["one", 2]}, "input", "invalid_type"),
        ({"input": "one", "encoding_format": "int8"}, "encoding_format", "invalid_type"),
        ({"input": "one", "dimensions": 0}, "dimensions", "invalid_type"),
        ({"input": "one", "dimensions": "many"}, "dimensions", "invalid_type"),
        ({"input": "one", "future_field": {"a": 1}}, "future_field", "not_expressible"),
        ({"input": "one", "input_type": "image"}, "input_type", "not_expressible"),
        ({}, "input", "missing_field"),
    ],
)
@pytest.mark.parametrize("model", ["vectors-google", "vectors-cohere"])
def test_what_another_dialect_can_not_embed_is_refused_before_anything_leaves(
    model: str, body: dict[str, Any], param: str, code: str, house: House, provider: Provider
) -> None:
    answer = embed(house, model=model, **body)

    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)
    assert provider.asked == []
    assert house.journaled() == []


def test_token_ids_pass_to_a_vendor_of_the_same_dialect(house: House, provider: Provider) -> None:
    provider.then(said(OPENAIS))

    body = b'{"model":"vectors", "input":[[15339, 11],[1917]] , "future":true}'
    answer = house.http.post("/v1/embeddings", content=body, headers={"authorization": f"Bearer {house.key}"})

    assert answer.content == json.dumps(OPENAIS).encode()
    assert provider.last.json == {"model": "text-embedding-3-small", "input": [[15339, 11], [1917]], "future": True}


@pytest.mark.parametrize(
    "answer",
    [
        {"embeddings": [{"values": [0.25]}]},
        {"embeddings": [{"values": []}, {"values": []}]},
        {"embeddings": [{"values": ["x"]}, {"values": [1]}]},
        {"something": "else"},
        [],
    ],
)
def test_vectors_that_can_not_be_read_are_the_upstreams_fault_and_settled_as_an_estimate(
    answer: Any, house: House, provider: Provider
) -> None:
    provider.then(said(answer))

    refused = embed(house, model="vectors-google", input=["one", "two"])

    assert refused.status_code == 502
    assert refused.json()["error"]["code"] == "upstream_garbled"
    event = house.settled()
    assert (event.outcome, event.estimated, counted(event)) == ("error", True, {"input": 2})


def test_a_number_that_base64_does_not_hold_is_the_upstreams_fault(house: House, provider: Provider) -> None:
    provider.then(said({"embeddings": [{"values": [1e300]}]}))

    assert embed(house, model="vectors-google", input="one", encoding_format="base64").status_code == 502


def test_a_model_that_has_no_vectors_says_so_and_a_stranger_hears_of_none(house: House, provider: Provider, stranger: str) -> None:
    refused = embed(house, model="claude", input="one")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "dialect_not_served")

    unknown = house.http.post(
        "/v1/embeddings", json={"model": "vectors-google", "input": "one"}, headers={"authorization": f"Bearer {stranger}"}
    )
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert provider.asked == []


def test_a_budget_ends_vectors_of_another_dialect_for_the_whole_team(house: House, provider: Provider, team_mate: str) -> None:
    provider.fallback = said(COHERES)
    house.contents.budget(f"team:{house.team}", 14_000)
    house.publish()

    first = embed(house, model="vectors-cohere", input=["one", "two"])
    second = house.http.post(
        "/v1/embeddings", json={"model": "vectors-cohere", "input": ["one"]}, headers={"authorization": f"Bearer {team_mate}"}
    )

    assert (first.status_code, second.status_code) == (200, 402)
    assert len(provider.asked) == 1


@pytest.mark.parametrize("cassette", cases(select(["openai"], ["embeddings"])))
def test_the_recorded_refusal_of_openai_is_read_by_both_sdks(
    cassette: Cassette, house: House, provider: Provider, client: openai.OpenAI, google: genai.Client
) -> None:
    provider.fallback = recorded(cassette)
    with pytest.raises(openai.NotFoundError, match="nonexistent"):
        client.embeddings.create(model="vectors", **{name: value for name, value in cassette.body.items() if name != "model"})
    assert provider.last.json == {**cassette.body, "model": "text-embedding-3-small"}
    with pytest.raises(errors.ClientError) as told:
        google.models.embed_content(model="vectors", contents=cassette.body["input"])
    assert (told.value.code, told.value.status) == (404, "NOT_FOUND")
    assert "nonexistent" in (told.value.message or "")
    assert {event.cost for event in house.all_settled(2)} == {"0"}


@pytest.mark.parametrize("cassette", cases(select(["google"], ["batchEmbedContents"])))
def test_the_recorded_vectors_of_google_are_what_openais_sdk_sees(
    cassette: Cassette, house: House, provider: Provider, client: openai.OpenAI
) -> None:
    provider.then(recorded(cassette), recorded(cassette))
    vectors = [one["values"] for one in json.loads(cassette.answer)["embeddings"]]
    asked = cassette.body["requests"][0]

    answer = client.embeddings.create(
        model="vectors-google",
        input=[asked["content"]["parts"][0]["text"]],
        dimensions=asked["outputDimensionality"],
        encoding_format="float",
        extra_body={"input_type": "query"},
    )

    assert [one.embedding for one in answer.data] == vectors
    mine = {**asked, "model": "models/gemini-embedding-2"}
    assert provider.last.json == {"requests": [mine]}
    native = house.http.post("/v1beta/models/vectors-google:batchEmbedContents", json=cassette.body, headers={"x-goog-api-key": house.key})
    assert native.content == cassette.answer
    assert provider.last.json == {"requests": [mine]}


@pytest.mark.parametrize("cassette", cases(select(["cohere"], ["embed"])))
def test_the_recorded_answers_of_cohere_are_what_each_caller_sees(
    cassette: Cassette, house: House, provider: Provider, client: openai.OpenAI, google: genai.Client
) -> None:
    provider.fallback = recorded(cassette)
    told = json.loads(cassette.answer)
    native = house.http.post(
        "/v2/embed", json={**cassette.body, "model": "vectors-cohere"}, headers={"authorization": f"Bearer {house.key}"}
    )
    assert (native.status_code, native.content) == (cassette.status, cassette.answer)
    assert provider.last.json == {**cassette.body, "model": "embed-v4.0"}
    if cassette.status >= 400:
        with pytest.raises(openai.NotFoundError, match="nonexistent"):
            client.embeddings.create(model="vectors-cohere", input=cassette.body["texts"])
        with pytest.raises(errors.ClientError, match="nonexistent"):
            google.models.embed_content(model="vectors-cohere", contents=cassette.body["texts"])
        assert {event.cost for event in house.all_settled(3)} == {"0"}
        return
    answer = client.embeddings.create(model="vectors-cohere", input=cassette.body["texts"], encoding_format="float")
    assert [one.embedding for one in answer.data] == told["embeddings"]["float"]
    found = google.models.embed_content(model="vectors-cohere", contents=cassette.body["texts"])
    assert [one.values for one in found.embeddings or ()] == told["embeddings"]["float"]
    assert [(counted(event), event.estimated) for event in house.all_settled(3)] == [({"input": 4}, False)] * 3


def test_coheres_own_address_is_served_by_openai(house: House, provider: Provider) -> None:
    provider.then(said(OPENAIS))

    body = {"model": "vectors", "texts": ["one", "two"], "embedding_types": ["float"]}
    answer = house.http.post("/v2/embed", json=body, headers={"authorization": f"Bearer {house.key}"})

    told = answer.json()
    assert told["embeddings"] == {"float": VECTORS}
    assert told["texts"] == ["one", "two"]
    assert told["meta"]["billed_units"]["input_tokens"] == 5
    assert told["id"] == answer.headers["x-request-id"]
    refused = house.http.post("/v2/embed", json={**body, "input_type": "clustering"}, headers={"authorization": f"Bearer {house.key}"})
    assert refused.status_code == 400
    assert set(refused.json()) == {"id", "message", "code", "param"}
    assert refused.json()["param"] == "input_type"


def test_an_upstream_that_answers_no_json_is_told_by_its_status(house: House, provider: Provider) -> None:
    provider.then(Reply(status=503, headers=(("content-type", "text/html"),), pieces=(b"<h1>down</h1>",), sized=True))

    answer = embed(house, model="vectors-google", input="one")

    assert answer.status_code == 503
    assert answer.json()["error"]["message"]


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(vectors=st.lists(st.lists(floats, min_size=1, max_size=8), min_size=1, max_size=4), packs=st.booleans())
def test_vectors_written_for_openai_are_read_back_as_they_were(vectors: list[list[float]], packs: bool) -> None:
    request = EmbedRequest(inputs=["x"] * len(vectors), encodings=["base64"] if packs else [])
    written = codec.render_embed_answer(EmbedAnswer(vectors=vectors), request, model="m")
    assert codec.parse_embed_answer(written).vectors == vectors


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [2.0]}],
        [{"index": 5, "embedding": [1.0]}],
        [{"embedding": "???"}],
        [{"embedding": None}],
        None,
        "text",
    ],
)
def test_an_answer_that_is_not_openais_is_unreadable(data: Any) -> None:
    with pytest.raises(Unreadable):
        codec.parse_embed_answer({"data": data})
