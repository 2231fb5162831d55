"""Vectors of Vertex AI, whose older models have a method of their own and whose newer ones spell their settings otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from google import genai
from google.genai import types

from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, said

PLACE = "/v1/projects/p/locations/europe-west4"
PREDICTED = {
    "predictions": [
        {"embeddings": {"values": [0.25, -0.5], "statistics": {"token_count": 3, "truncated": False}}},
        {"embeddings": {"values": [0.125, 1.0], "statistics": {"token_count": 4, "truncated": False}}},
    ]
}
BATCH = {"embeddings": [{"values": [0.25, -0.5]}, {"values": [0.125, 1.0]}], "usageMetadata": {"promptTokenCount": 9}}
VECTORS = [[0.25, -0.5], [0.125, 1.0]]


@pytest.fixture
def vertex(house: House, running_provider: tuple[Provider, str]) -> House:
    contents = house.contents
    contents.provider("vertex", f"{running_provider[1]}{PLACE}", dialect="gemini", vendor="google-vertex")
    for name, model in (("old", "text-embedding-005"), ("new", "gemini-embedding-2"), ("other", "multilingual-e5-large-maas")):
        contents.grant(f"team:{house.team}", contents.model(name, contents.deployment("vertex", model)))
    house.publish()
    return house


def embed(house: House, **body: Any) -> Any:
    return house.http.post("/v1/embeddings", json=body, headers={"authorization": f"Bearer {house.key}"})


def test_an_older_model_is_asked_to_predict(vertex: House, provider: Provider) -> None:
    provider.then(said(PREDICTED))

    answer = embed(vertex, model="old", input=["one", "two"], input_type="query", dimensions=2)

    assert [one["embedding"] for one in answer.json()["data"]] == VECTORS
    assert provider.last.path == f"{PLACE}/publishers/google/models/text-embedding-005:predict"
    assert provider.last.json == {
        "instances": [{"content": "one", "task_type": "RETRIEVAL_QUERY"}, {"content": "two", "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 2},
    }
    event = vertex.settled()
    assert (counted(event), event.estimated) == ({"input": 7}, False)


def test_googles_sdk_gets_vectors_of_an_older_model_all_the_same(vertex: House, provider: Provider) -> None:
    provider.then(said(PREDICTED))
    options = types.HttpOptions(base_url=vertex.url)
    with genai.Client(api_key=vertex.key, http_options=options) as google:
        answer = google.models.embed_content(model="old", contents=["one", "two"])
    assert [one.values for one in answer.embeddings or ()] == VECTORS
    assert provider.last.path.endswith(":predict")


def test_a_newer_model_is_asked_in_a_batch(vertex: House, provider: Provider) -> None:
    provider.then(said(BATCH))

    answer = embed(vertex, model="new", input=["one", "two"], input_type="document")

    assert [one["embedding"] for one in answer.json()["data"]] == VECTORS
    assert provider.last.path == f"{PLACE}/publishers/google/models/gemini-embedding-2:batchEmbedContents"
    assert provider.last.json["requests"][0] == {
        "model": "publishers/google/models/gemini-embedding-2",
        "content": {"parts": [{"text": "one"}]},
        "embedContentConfig": {"taskType": "RETRIEVAL_DOCUMENT"},
    }
    assert counted(vertex.settled()) == {"input": 9}


def test_another_makers_model_takes_one_text(vertex: House, provider: Provider) -> None:
    refused = embed(vertex, model="other", input=["one", "two"])
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
    assert provider.asked == []

    provider.then(said({"embedding": {"values": [0.25, -0.5]}}))
    answer = embed(vertex, model="other", input="one")
    assert answer.json()["data"][0]["embedding"] == [0.25, -0.5]
    assert provider.last.json == {"content": {"parts": [{"text": "one"}]}}
    assert provider.last.path.endswith("/multilingual-e5-large-maas:embedContent")
