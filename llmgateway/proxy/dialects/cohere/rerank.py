"""Cohere's `/v2/rerank`. It ranks texts and tells no documents back; it bills searches: one of a query with up to a hundred
documents.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.reranking import Ranked, RerankAnswer, RerankRequest, text_of
from llmgateway.proxy.dialects.cohere.usage import from_cohere, to_cohere
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.members import Members, refused, unreadable
from llmgateway.proxy.dialects.ranked import read_documents, read_results

HINTS = ("priority",)


def parse_rerank(body: Json) -> RerankRequest:
    """Also of v1, which took documents as objects and gave them back. Raises BadRequest."""
    whole = Members(body, "", refused)
    request = RerankRequest(model=whole.text("model"), query=whole.needed_text("query"), extra={}, hints={})
    request.documents = read_documents(whole)
    request.top_n = whole.integer("top_n")
    request.max_tokens_per_doc = whole.integer("max_tokens_per_doc")
    request.return_documents = whole.flag("return_documents")
    request.rank_fields = whole.texts("rank_fields")
    for name in HINTS:
        if name in whole:
            request.hints[name] = whole.take(name)
    request.extra = whole.left()
    return request


def render_rerank(request: RerankRequest, target: Target, losses: Losses) -> Json:
    """Whether documents are to be told is the house's business: `reranking.with_documents`."""
    body: dict[str, Json] = {"model": target.model, "query": request.query, "documents": []}
    for place, document in enumerate(request.documents):
        text = text_of(document)
        if text is None:
            losses.drop(f"{request.field('documents')}[{place}]", "it ranks texts")
        else:
            body["documents"].append(text)
    if request.rank_fields:
        losses.drop(request.field("rank_fields"), "it ranks whole texts")
    for slot in ("top_n", "max_tokens_per_doc"):
        if getattr(request, slot) is not None:
            body[slot] = getattr(request, slot)
    if request.user:
        losses.hint(request.field("user"))
    for path in request.extra:
        losses.drop(path)
    for path, value in request.hints.items():
        if path in HINTS:
            body[path] = value
        else:
            losses.hint(path)
    return body


def parse_rerank_answer(body: Json, model: str = "") -> RerankAnswer:
    """Raises Unreadable."""
    whole = Members(body, "", unreadable)
    results = read_results(whole, "results")
    usage = from_cohere(whole.take("meta"))
    return RerankAnswer(id=whole.text("id"), model=model, results=results, usage=usage, extra=whole.left())


def render_rerank_answer(answer: RerankAnswer) -> Json:
    meta = {"api_version": {"version": "2"}, **to_cohere(answer.usage)}
    return {"id": answer.id, "results": [_result(one) for one in answer.results], "meta": meta}


def _result(one: Ranked) -> Json:
    told: dict[str, Json] = {"index": one.index, "relevance_score": one.score}
    if one.document is not None:
        told["document"] = {"text": one.document} if isinstance(one.document, str) else one.document
    return told
