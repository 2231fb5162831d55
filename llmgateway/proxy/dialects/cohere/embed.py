"""Cohere's `/v2/embed`: texts and their vectors.

Its models from v3 on insist on what a vector is for. A caller that can't say so (OpenAI has no such field) asks for documents,
as most vectors are made to be found. Base64 is made by the house of floats, so they are asked for.
"""

from __future__ import annotations

import base64
import binascii
import struct

import msgspec

from llmgateway.proxy.conversation.embedding import CLASSIFICATION, CLUSTERING, DOCUMENT, QUERY, EmbedAnswer, EmbedRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.cohere.usage import from_cohere, to_cohere
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.members import Members, refused, unreadable

TASKS = {
    "search_query": QUERY,
    "search_document": DOCUMENT,
    "classification": CLASSIFICATION,
    "clustering": CLUSTERING,
}
_WORDS = {task: word for word, task in TASKS.items()}
TRUNCATIONS = {"NONE": "none", "START": "start", "END": "end"}
MOST = 96
"""Texts of one call."""

FORMS = frozenset({"float", "int8", "uint8", "binary", "ubinary", "base64"})
HINTS = ("priority",)
NAMED = {"inputs": "texts", "dimensions": "output_dimension", "task": "input_type", "truncate": "truncate", "encodings": "embedding_types"}


def parse_embed(body: Json) -> EmbedRequest:
    """Raises BadRequest. Images and inputs of several parts have no slot."""
    whole = Members(body, "", refused)
    request = EmbedRequest(model=whole.text("model"), inputs=whole.texts("texts"), extra={}, hints={}, named=dict(NAMED))
    task = whole.text("input_type")
    if task in TASKS:
        request.task = TASKS[task]
    elif task:
        request.extra["input_type"] = task
    if (cut := whole.text("truncate")) != "":
        if cut not in TRUNCATIONS:
            raise refused("truncate", f"one of {', '.join(TRUNCATIONS)}")
        request.truncate = TRUNCATIONS[cut]
    request.dimensions = whole.integer("output_dimension")
    request.encodings = whole.texts("embedding_types")
    for name in HINTS:
        if name in whole:
            request.hints[name] = whole.take(name)
    request.extra |= whole.left()
    return request


def render_embed(request: EmbedRequest, target: Target, losses: Losses) -> Json:
    if len(request.inputs) > MOST:
        losses.drop(request.field("inputs"), f"it takes at most {MOST} texts in one call")
    body: dict[str, Json] = {"model": target.model, "texts": request.inputs}
    word = _WORDS.get(request.task or DOCUMENT)
    if word is None:
        losses.drop(request.field("task"), "it has no such kind of vectors")
    body["input_type"] = word or _WORDS[DOCUMENT]
    body["embedding_types"] = _forms(request, losses)
    if request.dimensions is not None:
        body["output_dimension"] = request.dimensions
    if request.truncate:
        body["truncate"] = request.truncate.upper()
    if request.title:
        losses.drop(request.field("title"), "its documents have no titles")
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


def _forms(request: EmbedRequest, losses: Losses) -> list[str]:
    asked = ["float" if form == "base64" else form for form in request.encodings]
    if not FORMS.issuperset(asked):
        losses.drop(request.field("encodings"), "it has no such form of vectors")
    return list(dict.fromkeys(form for form in asked if form in FORMS)) or ["float"]


def parse_embed_answer(body: Json, model: str = "") -> EmbedAnswer:
    """Raises Unreadable."""
    whole = Members(body, "", unreadable)
    told = whole.take("embeddings")
    forms = {"float": told} if isinstance(told, list) else told
    if not isinstance(forms, dict) or not forms:
        raise Unreadable("the answer has no embeddings")
    others = {name: value for name, value in forms.items() if name != "float" and value is not None}
    vectors = _floats(forms.get("float"))
    if not vectors and "base64" in others:
        vectors = [_decoded(one) for one in others["base64"]] if isinstance(others["base64"], list) else []
    if not vectors and not others:
        raise Unreadable("the answer has no embeddings")
    usage = from_cohere(whole.take("meta"))
    return EmbedAnswer(id=whole.text("id"), model=model, vectors=vectors, others=others, usage=usage, extra=whole.left())


def _floats(told: Json) -> list[list[float]]:
    if told is None:
        return []
    try:
        return msgspec.convert(told, list[list[float]])
    except msgspec.ValidationError:
        raise Unreadable("an embedding is no array of numbers") from None


def _decoded(text: Json) -> list[float]:
    """Base64 of little-endian float32."""
    try:
        raw = base64.b64decode(text, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    except (binascii.Error, struct.error, TypeError, ValueError):
        raise Unreadable("an embedding is no base64 of float32") from None


def render_embed_answer(answer: EmbedAnswer, request: EmbedRequest) -> Json:
    """With the texts that were embedded, as Cohere tells them."""
    embeddings = ({"float": answer.vectors} if answer.vectors else {}) | answer.others
    meta = {"api_version": {"version": "2"}, **to_cohere(answer.usage)}
    return {"id": answer.id, "embeddings": embeddings, "texts": request.inputs, "meta": meta, "response_type": "embeddings_by_type"}
