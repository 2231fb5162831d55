"""`countTokens`: a conversation goes in, one number comes out."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.gemini.reading import Members, whole, wrong
from llmgateway.proxy.dialects.gemini.request_in import parse_request
from llmgateway.proxy.dialects.gemini.request_out import render_request

WHOLE = "generateContentRequest"
VERTEX = "google-vertex"
_COUNTED = frozenset({"contents", "systemInstruction", "tools", "generationConfig"})
"""All that Vertex takes to be counted; the rest of a request has no tokens."""


def parse_count_request(body: Json, model: str) -> Request:
    """The contents alone, a whole request in `generateContentRequest`, or Vertex's, which has both on one level. Paths are
    those inside of it. Raises BadRequest."""
    top = Members(body, "")
    inner = top.mapping(WHOLE)
    if inner is None:
        return parse_request(body, model, False)
    if top.has("contents"):
        raise wrong(top.where("contents"), f"left out where {WHOLE} is given")
    return parse_request(inner, model, False)


def render_count(request: Request, target: Target, losses: Losses) -> Json:
    """The Gemini API counts anything but contents only inside of a whole request, which then names its model."""
    body = render_request(request, target, losses)
    if target.facts.slug == VERTEX:
        return {name: value for name, value in body.items() if name in _COUNTED}
    if set(body) <= {"contents"}:
        return body
    return {WHOLE: {"model": "models/" + target.model.removeprefix("models/"), **body}}


def count_answer(tokens: int) -> Json:
    return {"totalTokens": tokens}


def parse_count(body: Json) -> int:
    """Raises Unreadable. A count of zero is left out."""
    if not isinstance(body, dict) or "error" in body:
        raise Unreadable("the answer is no count of tokens")
    tokens = whole(body.get("totalTokens", 0))
    if tokens is None or tokens < 0:
        raise Unreadable("the answer's totalTokens is no count")
    return tokens
