"""`/v1/rerank` as OpenAI-compatible vendors and engines have it in common (Jina, Together, vLLM, Voyage): OpenAI itself has
no such endpoint. They bill tokens. Voyage calls some things by other names.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.reranking import Ranked, RerankAnswer, RerankRequest, text_of
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.members import Members, refused, unreadable
from llmgateway.proxy.dialects.ranked import read_documents, read_results
from llmgateway.proxy.usage import Count

VOYAGE = "voyageai"
OBJECTS = frozenset({"together", ""})
"""Vendors that rank objects by their fields; of an unknown one ("") it is assumed."""

PER_DOCUMENT = frozenset({""})
"""Vendors that take `max_tokens_per_doc`."""


class _Usage(msgspec.Struct):
    total_tokens: Count | None = None
    prompt_tokens: Count | None = None
    search_units: Count | None = None


def parse_rerank(body: Json) -> RerankRequest:
    """`top_k` is another name of `top_n` there. Raises BadRequest."""
    whole = Members(body, "", refused)
    request = RerankRequest(model=whole.text("model"), query=whole.needed_text("query"), extra={}, named={})
    request.documents = read_documents(whole)
    name = "top_k" if "top_k" in whole and "top_n" not in whole else "top_n"
    request.named["top_n"] = name
    request.top_n = whole.integer(name)
    request.max_tokens_per_doc = whole.integer("max_tokens_per_doc")
    request.return_documents = whole.flag("return_documents")
    request.rank_fields = whole.texts("rank_fields")
    request.user = whole.text("user")
    request.extra = whole.left()
    return request


def render_rerank(request: RerankRequest, target: Target, losses: Losses) -> Json:
    vendor = target.facts.slug
    body: dict[str, Json] = {"model": target.model, "query": request.query, "documents": _documents(request, vendor, losses)}
    if request.top_n is not None:
        body["top_k" if vendor == VOYAGE else "top_n"] = request.top_n
    if request.return_documents is not None:
        body["return_documents"] = request.return_documents
    for slot, takers in (("max_tokens_per_doc", PER_DOCUMENT), ("rank_fields", OBJECTS)):
        value = getattr(request, slot)
        if value in (None, []):
            continue
        if vendor in takers:
            body[slot] = value
        else:
            losses.drop(request.field(slot))
    if request.user:
        losses.hint(request.field("user"))
    for path in request.extra:
        losses.drop(path)
    for path in request.hints:
        losses.hint(path)
    return body


def _documents(request: RerankRequest, vendor: str, losses: Losses) -> list[Json]:
    documents: list[Json] = []
    for place, document in enumerate(request.documents):
        text = text_of(document)
        if text is not None:
            documents.append(text)
        elif vendor in OBJECTS:
            documents.append(document)
        else:
            losses.drop(f"{request.field('documents')}[{place}]", "it ranks texts")
    return documents


def parse_rerank_answer(body: Json, model: str = "") -> RerankAnswer:
    """Voyage calls the results `data`. Raises Unreadable."""
    whole = Members(body, "", unreadable)
    results = read_results(whole, "results" if "results" in whole else "data")
    usage = _read_usage(whole.take("usage"))
    told = whole.take("model")
    answer = RerankAnswer(id=whole.text("id"), model=told if isinstance(told, str) else model, results=results, usage=usage)
    answer.extra = whole.left()
    return answer


def _read_usage(told: Json) -> Usage:
    try:
        usage = msgspec.convert(told, _Usage)
    except msgspec.ValidationError:
        return {}
    found: Usage = {}
    count = usage.total_tokens if usage.total_tokens is not None else usage.prompt_tokens
    if count is not None:
        found = {"input": count, "cached_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 0, "reasoning": 0}
    if usage.search_units:
        found["requests"] = usage.search_units
    return found


def render_rerank_answer(answer: RerankAnswer, *, model: str, request_id: str) -> Json:
    """`model` as the caller named it; `request_id` is that of the house's request, for vendors that give none."""
    count = answer.usage.get("input", 0)
    usage: dict[str, Json] = {"prompt_tokens": count, "total_tokens": count}
    if answer.usage.get("requests"):
        usage["search_units"] = answer.usage["requests"]
    return {"id": answer.id or request_id, "model": model, "results": [_result(one) for one in answer.results], "usage": usage}


def _result(one: Ranked) -> Json:
    told: dict[str, Json] = {"index": one.index, "relevance_score": one.score}
    if one.document is not None:
        told["document"] = {"text": one.document} if isinstance(one.document, str) else one.document
    return told
