"""`embedContent`, `batchEmbedContents` and Vertex's `predict` to embedding requests and answers, and back.

A batch repeats what it asks for in each of its requests. What differs from the first one has no slot.
"""

from __future__ import annotations

from typing import NamedTuple

from dataplane.call import Usage
from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.embedding import EmbedAnswer, EmbedRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.gemini.count import VERTEX
from llmgateway.proxy.dialects.gemini.reading import Members, whole

BATCH, PREDICT = "batchEmbedContents", "predict"

TASKS = {
    "RETRIEVAL_QUERY": "query",
    "RETRIEVAL_DOCUMENT": "document",
    "SEMANTIC_SIMILARITY": "similarity",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
    "QUESTION_ANSWERING": "question_answering",
    "FACT_VERIFICATION": "fact_verification",
    "CODE_RETRIEVAL_QUERY": "code_query",
}
_WORDS = {task: word for word, task in TASKS.items()}
_FLOAT: tuple[list[str], ...] = (["float"], ["base64"], [])
"""Forms that a vector of floats can be given in."""

_SLOTS = (("task", "taskType"), ("title", "title"), ("dimensions", "outputDimensionality"))


class Posted(NamedTuple):
    """A body, and the method of the model that it is posted to."""

    method: str
    body: Json


def parse_embed(body: Json, model: str) -> EmbedRequest:
    """The body of `embedContent`: one text. Raises BadRequest."""
    top = Members(body, "")
    request = EmbedRequest(model=model, single=True)
    _read_one(top, request, first=True)
    return request


def parse_batch(body: Json, model: str) -> EmbedRequest:
    """The body of `batchEmbedContents`. Raises BadRequest."""
    top = Members(body, "")
    request = EmbedRequest(model=model)
    for number, one in enumerate(top.many("requests")):
        _read_one(one, request, first=number == 0)
    top.leave(request.extra)
    return request


def _read_one(one: Members, request: EmbedRequest, *, first: bool) -> None:
    one.text("model")
    request.inputs.append(_read_content(one, request))
    config = one.inner("embedContentConfig")
    for members in (one, config):
        if members is None:
            continue
        for slot, field in _SLOTS:
            if members.has(field):
                path, value = members.where(field), _read_slot(members, slot, field)
                _fill(request, slot, path, value, first=first)
        members.leave(request.extra)


def _read_slot(members: Members, slot: str, field: str) -> Json:
    if slot == "dimensions":
        return members.integer(field)
    told = members.text(field) or ""
    return TASKS.get(told, told) if slot == "task" else told


def _fill(request: EmbedRequest, slot: str, path: str, value: Json, *, first: bool) -> None:
    unknown = slot == "task" and value not in _WORDS
    if first and not unknown:
        request.named[slot] = path
        setattr(request, slot, value)
    elif unknown or getattr(request, slot) != value:
        request.extra[path] = value


def _read_content(one: Members, request: EmbedRequest) -> str:
    """The text of a content. Parts that are no text are an input that other dialects lack."""
    content = one.inner("content")
    if content is None:
        path = one.where("content")
        raise BadRequest(f"The field {path} is required.", param=path, code="missing_field")
    content.text("role")
    texts = []
    for part in content.many("parts"):
        texts.append(part.text("text") or "")
        part.leave(request.extra)
    content.leave(request.extra)
    return "".join(texts)


def render_embed(request: EmbedRequest, target: Target, losses: Losses) -> Posted:
    """A batch, of one text too: it is answered with a list either way."""
    _tell_losses(request, losses)
    if target.facts.slug == VERTEX:
        return Posted(PREDICT, _render_predict(request))
    asked: dict[str, Json] = {"model": "models/" + target.model.removeprefix("models/")}
    more = {"taskType": _WORDS.get(request.task), "title": request.title, "outputDimensionality": request.dimensions}
    settings = {name: value for name, value in more.items() if value}
    if request.truncate == "none":
        losses.drop(request.field("truncate"), "a text that is too long is always cut")
    requests = [{**asked, "content": {"parts": [{"text": text}]}, **settings} for text in request.inputs]
    return Posted(BATCH, {"requests": requests})


def _tell_losses(request: EmbedRequest, losses: Losses) -> None:
    if request.encodings not in _FLOAT:
        losses.drop(request.field("encodings"), "vectors are of floats only")
    if request.truncate == "start":
        losses.drop(request.field("truncate"), "only the end of a text can be cut")
    if request.user:
        losses.hint(request.field("user"))
    for path in request.extra:
        losses.drop(path)
    for path in request.hints:
        losses.hint(path)


def _render_predict(request: EmbedRequest) -> Json:
    word = _WORDS.get(request.task)
    more = {name: value for name, value in (("task_type", word), ("title", request.title)) if value}
    parameters: dict[str, Json] = {"outputDimensionality": request.dimensions} if request.dimensions else {}
    if request.truncate:
        parameters["autoTruncate"] = request.truncate != "none"
    body: dict[str, Json] = {"instances": [{"content": text, **more} for text in request.inputs]}
    return {**body, "parameters": parameters} if parameters else body


def parse_embed_answer(body: Json, model: str = "") -> EmbedAnswer:
    """Of any of the three methods. Raises Unreadable."""
    if not isinstance(body, dict):
        raise Unreadable("the answer is no object")
    told = body.get("embeddings")
    if told is None:
        told = [body["embedding"]] if "embedding" in body else body.get("predictions")
    if not isinstance(told, list):
        raise Unreadable("the answer has no embeddings")
    return EmbedAnswer(model=model, vectors=[_vector(one) for one in told], usage=_usage(body, told))


def _vector(told: Json) -> list[float]:
    if isinstance(told, dict) and isinstance(told.get("embeddings"), dict):
        told = told["embeddings"]
    values = told.get("values") if isinstance(told, dict) else None
    if not isinstance(values, list) or not values or not all(isinstance(one, int | float) for one in values):
        raise Unreadable("an embedding has no values")
    return values


def _usage(body: dict[str, Json], told: list[Json]) -> Usage:
    """The prompt's count where it is told as a whole, else the sum of Vertex's counts of each text; {} without both."""
    metadata = body.get("usageMetadata")
    prompt = whole(metadata.get("promptTokenCount")) if isinstance(metadata, dict) else None
    counts = [_counted(one) for one in told]
    if prompt is None:
        known = [count for count in counts if count is not None]
        prompt = sum(known) if known and len(known) == len(counts) else None
    if prompt is None or prompt < 0:
        return {}
    return {"input": prompt, "cached_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 0, "reasoning": 0}


def _counted(told: Json) -> int | None:
    inner = told.get("embeddings", told) if isinstance(told, dict) else None
    counted = inner.get("statistics") if isinstance(inner, dict) else None
    return whole(counted.get("token_count", counted.get("tokenCount"))) if isinstance(counted, dict) else None


def render_embed_answer(answer: EmbedAnswer, *, single: bool) -> Json:
    """`single` for a caller of `embedContent`."""
    told: dict[str, Json] = {}
    if single:
        told["embedding"] = {"values": answer.vectors[0] if answer.vectors else []}
    else:
        told["embeddings"] = [{"values": vector} for vector in answer.vectors]
    if answer.usage:
        told["usageMetadata"] = {"promptTokenCount": answer.usage.get("input", 0), "totalTokenCount": answer.usage.get("input", 0)}
    return told
