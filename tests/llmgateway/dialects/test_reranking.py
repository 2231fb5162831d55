"""Documents put in order: Cohere's dialect, the one that OpenAI-compatible vendors share, and from each to the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import same
from llmgateway.proxy.conversation.reranking import Ranked, RerankAnswer, RerankRequest, with_documents
from llmgateway.proxy.dialects import openai_rerank
from llmgateway.proxy.dialects.cohere import rerank as cohere
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.providers import UNKNOWN, VENDORS
from tests.llmgateway.dialects import strategies as drawn

FACTS = {facts.slug: facts for facts in VENDORS}
COHERE = Target("cohere-rerank", "rerank-v3.5", FACTS["cohere"])
VOYAGE = Target("openai-rerank", "rerank-2.5", FACTS["voyageai"])
TOGETHER = Target("openai-rerank", "Salesforce/Llama-Rank-V1", FACTS["together"])
JINA = Target("openai-rerank", "jina-reranker-v3", UNKNOWN["openai"])

ASKED = {
    "model": "ranker",
    "query": "What is the capital of the United States?",
    "documents": ["Carson City is Nevada's.", {"text": "Washington, D.C. is the capital."}, "Capitalization is in grammar."],
    "top_n": 2,
    "return_documents": True,
}
COHERES = {
    "id": "07734bd2",
    "results": [{"index": 1, "relevance_score": 0.999071}, {"index": 0, "relevance_score": 0.3275776}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}
JINAS = {
    "model": "jina-reranker-v3",
    "object": "list",
    "usage": {"total_tokens": 38},
    "results": [
        {"index": 1, "relevance_score": 0.9, "document": {"text": "Washington, D.C. is the capital."}},
        {"index": 0, "relevance_score": 0.1, "document": {"text": "Carson City is Nevada's."}},
    ],
}
VOYAGES = {
    "object": "list",
    "data": [{"relevance_score": 0.4375, "index": 0}, {"relevance_score": 0.421875, "index": 1}],
    "model": "rerank-2.5",
    "usage": {"total_tokens": 26},
}


def test_a_shared_request_is_served_by_cohere_and_its_caller_gets_documents_all_the_same() -> None:
    request = openai_rerank.parse_rerank(ASKED)
    losses = Losses("")

    body = cohere.render_rerank(request, COHERE, losses)

    assert body == {
        "model": "rerank-v3.5",
        "query": ASKED["query"],
        "documents": ["Carson City is Nevada's.", "Washington, D.C. is the capital.", "Capitalization is in grammar."],
        "top_n": 2,
    }
    assert (losses.fields, losses.hints) == ([], [])
    answer = with_documents(cohere.parse_rerank_answer(COHERES, "rerank-v3.5"), request)
    assert answer.usage == {"requests": 1}
    assert openai_rerank.render_rerank_answer(answer, model="ranker", request_id="req_1") == {
        "id": "07734bd2",
        "model": "ranker",
        "results": [
            {"index": 1, "relevance_score": 0.999071, "document": {"text": "Washington, D.C. is the capital."}},
            {"index": 0, "relevance_score": 0.3275776, "document": {"text": "Carson City is Nevada's."}},
        ],
        "usage": {"prompt_tokens": 0, "total_tokens": 0, "search_units": 1},
    }


def test_a_request_of_cohere_is_served_by_others() -> None:
    request = cohere.parse_rerank({**ASKED, "top_n": 2, "priority": 1})
    losses = Losses("")
    assert openai_rerank.render_rerank(request, VOYAGE, losses) == {
        "model": "rerank-2.5",
        "query": ASKED["query"],
        "documents": ["Carson City is Nevada's.", "Washington, D.C. is the capital.", "Capitalization is in grammar."],
        "top_k": 2,
        "return_documents": True,
    }
    assert (losses.fields, losses.hints) == ([], ["priority"])
    answer = with_documents(openai_rerank.parse_rerank_answer(VOYAGES), cohere.parse_rerank({**ASKED, "return_documents": False}))
    assert answer.usage["input"] == 26
    written = cohere.render_rerank_answer(answer)
    assert written["results"] == [{"index": 0, "relevance_score": 0.4375}, {"index": 1, "relevance_score": 0.421875}]
    assert written["meta"]["billed_units"] == {"input_tokens": 26, "output_tokens": 0}


def test_what_a_vendor_tells_of_its_documents_is_kept() -> None:
    answer = openai_rerank.parse_rerank_answer(JINAS)
    assert [one.document for one in answer.results] == [{"text": "Washington, D.C. is the capital."}, {"text": "Carson City is Nevada's."}]
    assert (answer.model, answer.extra) == ("jina-reranker-v3", {"object": "list"})
    again = openai_rerank.render_rerank_answer(answer, model="m", request_id="req_1")
    assert again["results"] == JINAS["results"]
    assert again["id"] == "req_1"
    bare = with_documents(answer, RerankRequest(documents=["a", "b"]))
    assert [one.document for one in bare.results] == [None, None]
    strange = with_documents(RerankAnswer(results=[Ranked(7, 0.5)]), RerankRequest(documents=["a"], return_documents=True))
    assert strange.results == [Ranked(7, 0.5)]


@pytest.mark.parametrize(
    ("target", "body", "field"),
    [
        (COHERE, {"documents": [{"title": "t", "text": "a"}]}, "documents[0]"),
        (COHERE, {"rank_fields": ["title"]}, "rank_fields"),
        (COHERE, {"truncation": True}, "truncation"),
        (VOYAGE, {"documents": ["a", {"title": "t"}]}, "documents[1]"),
        (VOYAGE, {"rank_fields": ["title"]}, "rank_fields"),
        (TOGETHER, {"max_tokens_per_doc": 5}, "max_tokens_per_doc"),
        (JINA, {"truncation": True}, "truncation"),
    ],
)
def test_what_a_vendor_can_not_rank_by_is_refused_by_its_callers_name(target: Target, body: dict[str, Any], field: str) -> None:
    request = openai_rerank.parse_rerank({**ASKED, **body})
    losses = Losses(target.label)
    (cohere if target is COHERE else openai_rerank).render_rerank(request, target, losses)
    assert losses.fields == [field]
    with pytest.raises(BadRequest):
        losses.check(allowed=False)


def test_objects_go_to_those_who_rank_by_their_fields() -> None:
    body = {**ASKED, "documents": [{"title": "t", "text": "a"}], "rank_fields": ["title"], "top_n": None, "top_k": 1}
    request = openai_rerank.parse_rerank(body)
    losses = Losses("")
    written = openai_rerank.render_rerank(request, TOGETHER, losses)
    assert (written["documents"], written["rank_fields"], written["top_n"]) == ([{"title": "t", "text": "a"}], ["title"], 1)
    assert losses.fields == []
    assert request.field("top_n") == "top_k"


requests = st.builds(
    RerankRequest,
    model=drawn.names,
    query=drawn.texts,
    documents=st.lists(drawn.texts, max_size=4),
    top_n=st.none() | st.integers(1, 9),
    max_tokens_per_doc=st.none() | st.integers(1, 4096),
)
results = st.lists(st.builds(Ranked, st.integers(0, 99), st.floats(0, 1)), max_size=5)


@given(requests, st.none() | st.booleans(), st.sampled_from(([], ["title"])))
def test_a_request_is_read_back_as_it_was_written(request: RerankRequest, told: bool | None, fields: list[str]) -> None:
    losses = Losses("")
    written = cohere.render_rerank(request, COHERE._replace(model=request.model), losses)
    assert same(cohere.parse_rerank(msgspec.json.decode(msgspec.json.encode(written))), request)
    request.return_documents, request.rank_fields = told, fields
    shared = openai_rerank.render_rerank(request, JINA._replace(model=request.model), losses)
    assert same(openai_rerank.parse_rerank(msgspec.json.decode(msgspec.json.encode(shared))), request)
    assert losses.fields == []


@given(results, st.integers(1, 9), drawn.ids)
def test_an_answer_is_read_back_as_it_was_written(found: list[Ranked], count: int, name: str) -> None:
    by_search = RerankAnswer(id=name, results=found, usage={"requests": count})
    assert same(cohere.parse_rerank_answer(cohere.render_rerank_answer(by_search)).results, found)
    assert cohere.parse_rerank_answer(cohere.render_rerank_answer(by_search)).usage == by_search.usage
    shared = openai_rerank.parse_rerank_answer(openai_rerank.render_rerank_answer(by_search, model="m", request_id="r"))
    assert (same(shared.results, found), shared.usage["requests"], shared.id) == (True, count, name)


@pytest.mark.parametrize("module", [cohere, openai_rerank])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"documents": ["a"]}, "query"),
        ({"query": 1}, "query"),
        ({"query": "a", "documents": "b"}, "documents"),
        ({"query": "a", "documents": [1]}, "documents[0]"),
        ({"query": "a", "top_n": "two"}, "top_n"),
        ({"query": "a", "rank_fields": [1]}, "rank_fields[0]"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(module: Any, body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        module.parse_rerank(body)
    assert (refused.value.param, refused.value.code) == (param, "invalid_type")


@pytest.mark.parametrize("module", [cohere, openai_rerank])
@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"results": {}},
        {"results": [{"index": 0}]},
        {"results": [{"index": -1, "relevance_score": 1}]},
        {"results": [{"index": 0, "relevance_score": "a"}]},
    ],
)
def test_what_is_no_answer_is_unreadable(module: Any, body: Any) -> None:
    with pytest.raises(Unreadable):
        module.parse_rerank_answer(body)


@pytest.mark.parametrize("usage", [None, 5, {"total_tokens": -1}, {}])
def test_counts_that_can_not_be_true_are_not_believed(usage: Any) -> None:
    assert openai_rerank.parse_rerank_answer({"results": [], "usage": usage}).usage == {}
    assert cohere.parse_rerank_answer({"results": [], "meta": {"billed_units": usage}}).usage == {}


@settings(max_examples=40)
@given(drawn.json_values)
def test_no_json_makes_reading_crash(value: Any) -> None:
    for module in (cohere, openai_rerank):
        for body in (value, {"query": "a", "documents": value, "top_n": value}):
            try:
                module.parse_rerank(body)
            except BadRequest:
                continue
        for body in (value, {"results": value, "usage": value, "meta": value}, {"data": value}):
            try:
                module.parse_rerank_answer(body)
            except Unreadable:
                continue
