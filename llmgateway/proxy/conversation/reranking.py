"""Documents put in order by how well they answer a query, whatever the dialect it was asked in.

The rules are those of `request` and `answer`: a slot that is None (or empty) was not said, `named` tells what the caller
calls a slot, `hints` changes nothing about the order, `extra` has no slot and only the same dialect expresses it.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json


class RerankRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A document is a text, or an object whose members are ranked by (`rank_fields`; {"text": …} says the same as its text).
    `top_n` bounds how many are told. `return_documents` asks for them beside their scores; the house has them and can give
    them where the vendor does not."""

    model: str = ""
    query: str = ""
    documents: list[Json] = []
    top_n: int | None = None
    max_tokens_per_doc: int | None = None
    return_documents: bool | None = None
    rank_fields: list[str] = []
    user: str = ""
    hints: dict[str, Json] = {}
    extra: dict[str, Json] = {}
    named: dict[str, str] = {}

    def field(self, slot: str) -> str:
        """What the caller calls this slot."""
        return self.named.get(slot, slot)


class Ranked(msgspec.Struct, omit_defaults=True):
    """`index` is the document's place in the request. `document` is None where it was not told."""

    index: int
    score: float
    document: Json = None


class RerankAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The best first. `usage` are the house's buckets: `requests` counts the searches that Cohere bills, `input` the tokens
    that others bill; {} when nothing was told."""

    id: str = ""
    model: str = ""
    results: list[Ranked] = []
    usage: Usage = {}
    extra: dict[str, Json] = {}


def text_of(document: Json) -> str | None:
    """The text that a document is; None for one with more members than a text."""
    if isinstance(document, str):
        return document
    if isinstance(document, dict) and set(document) == {"text"} and isinstance(document["text"], str):
        return document["text"]
    return None


def with_documents(answer: RerankAnswer, request: RerankRequest) -> RerankAnswer:
    """The answer as this request asked for it: with the documents where they were asked for, from the request where the
    vendor left them out, and without them where they were not. An index that names no document keeps what was told."""
    asked = request.return_documents is True
    results = [msgspec.structs.replace(one, document=_document(one, request) if asked else None) for one in answer.results]
    return msgspec.structs.replace(answer, results=results)


def _document(one: Ranked, request: RerankRequest) -> Json:
    if one.document is None and 0 <= one.index < len(request.documents):
        return request.documents[one.index]
    return one.document
