"""Gemini's endpoints: its addresses name the model and the method, its bodies may name the model once more inside."""

from __future__ import annotations

from typing import Any

import msgspec

from dataplane.errors import BadRequest
from llmgateway.proxy.body import MAX_INTEGER, Fields
from llmgateway.proxy.dialects.endpoint import COUNT, EMBED, FORWARDED, GENERATE, Bounds, Endpoint, FreeMeter, headers
from llmgateway.proxy.dialects.gemini.errors import gemini
from llmgateway.proxy.dialects.gemini.meter import GeminiMeter, VectorsMeter

_FORWARDED = (*FORWARDED, *headers("x-goog-api-client"))


class _Config(msgspec.Struct):
    maxOutputTokens: int | None = None  # noqa: N815 - Google's spelling
    max_output_tokens: int | None = None
    candidateCount: int | None = None  # noqa: N815
    candidate_count: int | None = None


_configs = msgspec.json.Decoder(_Config | None)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_lists = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def bounds(fields: Fields) -> Bounds:
    """Google takes every field in camel case and in snake case. Where it is there in both, the larger one counts."""
    told = [_bounds(name, raw) for name in ("generationConfig", "generation_config") if (raw := fields.get(name)) is not None]
    most = [value for one in told for value in (one.maxOutputTokens, one.max_output_tokens) if value is not None]
    answers = [value for one in told for value in (one.candidateCount, one.candidate_count) if value is not None]
    return Bounds(max(most, default=None), max(answers, default=None))


def _bounds(name: str, raw: msgspec.Raw) -> _Config:
    try:
        config = _configs.decode(raw) or _Config()
    except msgspec.MsgspecError:
        raise BadRequest(
            f"The field {name} must be an object with integers where integers belong.", param=name, code="invalid_type"
        ) from None
    for value in (config.maxOutputTokens, config.max_output_tokens, config.candidateCount, config.candidate_count):
        if value is not None and not 0 <= value <= MAX_INTEGER:
            raise BadRequest(f"The field {name} holds a number that no model takes.", param=name, code="invalid_value")
    return config


def _named(model: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(f"models/{model}"))


def rename_requests(fields: Fields, model: str) -> dict[str, object]:
    """Of a batch, in which every request names the model again."""
    raw = fields.get("requests")
    if raw is None:
        return {}
    try:
        requests = _lists.decode(raw)
    except msgspec.MsgspecError:
        raise BadRequest("The field requests must be a list of objects.", param="requests", code="invalid_type") from None
    return {"requests": [{**request, "model": _named(model)} for request in requests]}


def rename_counted(fields: Fields, model: str) -> dict[str, object]:
    """Of a count, whose body may hold a whole request."""
    name = "generateContentRequest" if "generateContentRequest" in fields else "generate_content_request"
    raw = fields.get(name)
    if raw is None:
        return {}
    try:
        inner: dict[str, Any] = _objects.decode(raw)
    except msgspec.MsgspecError:
        raise BadRequest(f"The field {name} must be an object.", param=name, code="invalid_type") from None
    return {name: {**inner, "model": _named(model)}}


def rename_one(fields: Fields, model: str) -> dict[str, object]:
    """Of a request that may name the model beside the address."""
    return {"model": _named(model)} if "model" in fields else {}


GENERATE_CONTENT = Endpoint(
    wire="gemini",
    operation=GENERATE,
    path="/models/{model}:generateContent",
    stream_path="/models/{model}:streamGenerateContent",
    content=("contents", ("array",)),
    bounds=bounds,
    rename=rename_one,
    meter=lambda injected: GeminiMeter(),
    refuse=gemini,
    forwarded=_FORWARDED,
)
COUNT_TOKENS = Endpoint(
    wire="gemini-count",
    operation=COUNT,
    path="/models/{model}:countTokens",
    content=None,
    rename=rename_counted,
    meter=lambda injected: FreeMeter(),
    refuse=gemini,
    streams=False,
    has_output=False,
    free=True,
    forwarded=_FORWARDED,
)
EMBED_CONTENT = Endpoint(
    wire="gemini-embed",
    operation=EMBED,
    path="/models/{model}:embedContent",
    content=("content", ("object", "string")),
    rename=rename_one,
    meter=lambda injected: VectorsMeter(),
    refuse=gemini,
    streams=False,
    has_output=False,
    forwarded=_FORWARDED,
)
BATCH_EMBED = EMBED_CONTENT._replace(path="/models/{model}:batchEmbedContents", content=("requests", ("array",)), rename=rename_requests)
