"""Rankings over HTTP: in the form that compatible vendors share and in Cohere's, at providers of either, and what they cost."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from config.wiring import is_data_plane
from llmgateway.proxy.media.endpoints import MEDIA
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, Reply, said

DOCUMENTS = ["Carson City is Nevada's.", {"text": "Washington, D.C. is the capital."}, "Capitalization is in grammar."]
COHERES = {
    "id": "07734bd2",
    "results": [{"index": 1, "relevance_score": 0.999071}, {"index": 0, "relevance_score": 0.3275776}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}
JINAS = {
    "model": "jina-reranker-v3",
    "object": "list",
    "usage": {"total_tokens": 38},
    "results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "Washington, D.C. is the capital."}}],
}


def rank(house: House, path: str = "/v1/rerank", *, key: str | None = None, lossy: bool = False, **changes: Any) -> httpx.Response:
    body = {"model": "ranks", "query": "What is the capital?", "documents": DOCUMENTS, "top_n": 2, **changes}
    headers = {"authorization": f"Bearer {key or house.key}"}
    return house.http.post(path, json=body, headers={**headers, "x-customhouse-lossy": "allow"} if lossy else headers)


def test_a_ranking_of_the_same_dialect_passes_byte_for_byte_and_its_tokens_are_counted(house: House, provider: Provider) -> None:
    provider.then(said(JINAS))

    answer = rank(house, truncation=True)

    assert answer.content == json.dumps(JINAS).encode()
    assert provider.last.path == "/v1/rerank"
    asked = {"model": "jina-reranker-v3", "query": "What is the capital?", "documents": DOCUMENTS, "top_n": 2, "truncation": True}
    assert provider.last.json == asked
    event = house.settled()
    assert (counted(event), event.estimated, event.cost) == ({"input": 38}, False, "0.000076")


def test_a_ranking_is_translated_to_cohere_whose_searches_are_charged(house: House, provider: Provider) -> None:
    provider.then(said(COHERES))

    answer = rank(house, model="ranks-cohere", return_documents=True)

    assert provider.last.path == "/v2/rerank"
    texts = [DOCUMENTS[0], "Washington, D.C. is the capital.", DOCUMENTS[2]]
    assert provider.last.json == {"model": "rerank-v3.5", "query": "What is the capital?", "documents": texts, "top_n": 2}
    told = answer.json()
    assert told["model"] == "ranks-cohere"
    assert [(one["index"], one["relevance_score"]) for one in told["results"]] == [(1, 0.999071), (0, 0.3275776)]
    assert told["results"][0]["document"] == DOCUMENTS[1]
    assert told["usage"]["search_units"] == 1
    event = house.settled()
    assert (counted(event), event.estimated, event.cost) == ({"requests": 1}, False, "0.002")
    assert answer.headers["x-customhouse-cost"] == "0.002"


def test_coheres_sdk_address_passes_to_cohere(house: House, provider: Provider) -> None:
    many = {**COHERES, "meta": {"billed_units": {"search_units": 3}}}
    provider.then(said(many))

    answer = rank(house, "/v2/rerank", model="ranks-cohere", documents=["a"] * 201)

    assert answer.json() == many
    assert provider.last.path == "/v2/rerank"
    event = house.settled()
    assert (counted(event), event.cost) == ({"requests": 3}, "0.006")


def test_coheres_callers_are_served_by_a_compatible_vendor(house: House, provider: Provider) -> None:
    provider.then(said(JINAS))

    answer = rank(house, "/v2/rerank")

    assert answer.json()["results"] == [{"index": 1, "relevance_score": 0.9}], "documents were not asked for"
    assert answer.json()["meta"]["billed_units"]["input_tokens"] == 38
    assert answer.json()["id"]
    assert counted(house.settled()) == {"input": 38}


def test_refusals_have_the_shape_of_the_address(house: House, provider: Provider, stranger: str) -> None:
    openais = rank(house, key=stranger)
    coheres = rank(house, "/v2/rerank", key=stranger)
    assert (openais.status_code, openais.json()["error"]["code"]) == (404, "model_not_found")
    assert (coheres.status_code, set(coheres.json())) == (404, {"id", "message", "code", "param"})
    assert coheres.json()["code"] == "model_not_found"
    assert coheres.json()["id"] == coheres.headers["x-request-id"]

    provider.fallback = said({"id": "x", "message": "too many documents"}, status=400)
    assert rank(house, model="ranks-cohere").json()["error"]["message"] == "too many documents"
    assert rank(house, "/v2/rerank", model="ranks-cohere").json() == {"id": "x", "message": "too many documents"}
    assert {event.cost for event in house.all_settled(2)} == {"0"}


def test_what_cohere_can_not_rank_is_refused_or_told_as_dropped(house: House, provider: Provider) -> None:
    fields = [{"title": "A", "body": "b"}, "plain"]
    refused = rank(house, model="ranks-cohere", documents=fields, rank_fields=["title"])
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "documents[0]")
    assert provider.asked == []

    provider.then(said({**COHERES, "results": []}))
    allowed = rank(house, model="ranks-cohere", lossy=True, rank_fields=["title"])
    assert (allowed.status_code, allowed.headers["x-customhouse-dropped"]) == (200, "rank_fields")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"documents": None}, "documents"),
        ({"documents": "one"}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": [1]}, "documents[0]"),
        ({"query": None}, "query"),
        ({"query": 7}, "query"),
        ({"top_n": "two"}, "top_n"),
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
    ],
)
def test_a_body_that_is_no_ranking_is_refused_before_anything_leaves(
    changes: dict[str, Any], param: str, house: House, provider: Provider
) -> None:
    answer = rank(house, **{"model": "ranks-cohere", **changes})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert provider.asked == []
    assert house.journaled() == []


@pytest.mark.parametrize("answer", [{"results": [{"index": 9, "relevance_score": 1}]}, {"results": [{"index": 0}]}, {}, []])
def test_a_ranking_that_can_not_be_read_is_the_upstreams_fault(answer: Any, house: House, provider: Provider) -> None:
    provider.then(said(answer))
    refused = rank(house, model="ranks-cohere")
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_garbled")
    event = house.settled()
    assert (event.estimated, counted(event), event.cost) == (True, {"requests": 1}, "0.002")


def test_an_answer_without_usage_is_settled_as_an_estimate(house: House, provider: Provider) -> None:
    provider.then(said({"results": []}))
    assert rank(house).status_code == 200
    event = house.settled()
    assert event.estimated
    assert counted(event)["input"] > 0


def test_every_search_that_a_ranking_can_take_is_reserved_and_a_used_up_budget_ends_the_teams(
    house: House, provider: Provider, team_mate: str
) -> None:
    provider.fallback = said({**COHERES, "results": [], "meta": {"billed_units": {"search_units": 3}}})
    house.contents.budget(f"team:{house.team}", 12_000_000)
    house.publish()

    assert rank(house, model="ranks-cohere", documents=["a"] * 201).status_code == 200
    event = house.settled()
    assert (event.cost, house.reading.intents[event.id].reserve) == ("0.006", 6_000_000)
    assert rank(house, model="ranks-cohere", documents=["a"] * 201, key=team_mate).status_code == 200
    refused = rank(house, model="ranks-cohere", documents=["a"], key=team_mate)
    assert (refused.status_code, refused.headers["x-should-retry"]) == (402, "false")
    assert len(provider.asked) == 2


def test_the_page_of_a_proxy_passes_as_it_is(house: House, provider: Provider) -> None:
    provider.then(Reply(status=404, headers=(("content-type", "text/html"),), pieces=(b"<h1>none</h1>",), sized=True))
    answer = rank(house)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (404, b"<h1>none</h1>", "text/html")


@pytest.mark.parametrize("path", MEDIA)
def test_every_address_belongs_to_the_data_plane_where_it_shares_a_process(path: str) -> None:
    assert is_data_plane(path)


def test_only_post_is_taken(house: House) -> None:
    answer = house.http.get("/v2/rerank", headers={"authorization": f"Bearer {house.key}"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
