"""What both dialects of reranking have in common: documents and their scores, read."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.reranking import Ranked
from llmgateway.proxy.dialects.members import Members, unreadable


def read_documents(whole: Members) -> list[Json]:
    """Texts and objects. Raises what the reader of the body raises."""
    found = whole.array("documents")
    for place, document in enumerate(found):
        if type(document) not in (str, dict):
            raise whole.wrong(f"{whole.path('documents')}[{place}]", "a string or an object")
    return found


def read_results(whole: Members, name: str) -> list[Ranked]:
    """Raises Unreadable."""
    if name not in whole:
        raise unreadable(name, "an array")
    return [_ranked(one) for one in whole.each(name)]


def _ranked(one: Members) -> Ranked:
    index, score = one.integer("index"), one.number("relevance_score")
    if score is None:
        score = one.number("score")
    if index is None or index < 0 or score is None:
        raise unreadable(one.at, "a document's index and score")
    return Ranked(index, score, one.take("document"))
