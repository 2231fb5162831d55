"""`/v1/embeddings` as OpenAI has it and as compatible vendors do: texts and their vectors.

OpenAI's own request does not say what a vector is for. Vendors that ask have it in `input_type` (Voyage says query or document,
Cohere's and NVIDIA's compatible addresses search_query and search_document): callers may say it there, in either spelling.
Base64 (of little-endian float32) is made by the house where the vendor gives numbers only.
"""

from __future__ import annotations

import base64
import binascii
import struct

import msgspec

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.embedding import CLASSIFICATION, CLUSTERING, DOCUMENT, QUERY, TASKS, EmbedAnswer, EmbedRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.members import Members, refused, unreadable
from llmgateway.proxy.usage import ChatUsage, from_chat

VOYAGE = "voyageai"
INPUT_TYPES = {
    "query": QUERY,
    "document": DOCUMENT,
    "passage": DOCUMENT,
    "search_query": QUERY,
    "search_document": DOCUMENT,
    "classification": CLASSIFICATION,
    "clustering": CLUSTERING,
}
_VOYAGE_WORDS = {QUERY: "query", DOCUMENT: "document"}
_DIMENSIONS = {VOYAGE: "output_dimension", "mistral": "output_dimension"}
_FORMS = ("float", "base64")
_NAMED = {"inputs": "input", "task": "input_type", "encodings": "encoding_format"}
BYTES_PER_TOKEN = 4


def parse_embed(body: Json) -> EmbedRequest:
    """Raises BadRequest. Token ids have no slot: what they stand for differs from model to model."""
    whole = Members(body, "", refused)
    request = EmbedRequest(model=whole.text("model"), named=dict(_NAMED), extra={}, hints={})
    told = whole.take("input")
    if isinstance(told, str):
        request.inputs = [told]
    elif isinstance(told, list) and told and all(isinstance(one, str) for one in told):
        request.inputs = told
    elif isinstance(told, list) and told and _are_tokens(told):
        request.extra["input"] = told
    else:
        raise refused("input", "a text, or a list of texts or of token ids that is not empty")
    if (form := whole.text("encoding_format")) != "":
        if form not in _FORMS:
            raise refused("encoding_format", f"one of {', '.join(_FORMS)}")
        request.encodings = [form]
    word = whole.text("input_type")
    if word and (word in INPUT_TYPES or word in TASKS):
        request.task = INPUT_TYPES.get(word, word)
    elif word:
        request.extra["input_type"] = word
    request.dimensions = whole.integer("dimensions")
    if request.dimensions is not None and request.dimensions < 1:
        raise refused("dimensions", "1 or more")
    request.user = whole.text("user")
    request.extra |= whole.left()
    return request


def _are_tokens(told: list[Json]) -> bool:
    return all(type(one) is int or (isinstance(one, list) and all(type(token) is int for token in one)) for one in told)


def render_embed(request: EmbedRequest, target: Target, losses: Losses) -> Json:
    """Numbers are asked for as numbers: what the caller gets of them is the house's business."""
    vendor = target.facts.slug
    body: dict[str, Json] = {"model": target.model, "input": request.inputs}
    if vendor != VOYAGE:
        body["encoding_format"] = "float"
    if request.dimensions is not None:
        body[_DIMENSIONS.get(vendor, "dimensions")] = request.dimensions
    if request.task and vendor == VOYAGE and request.task in _VOYAGE_WORDS:
        body["input_type"] = _VOYAGE_WORDS[request.task]
    elif request.task:
        losses.drop(request.field("task"), "its vectors are made for no one task")
    if not set(request.encodings).issubset(_FORMS):
        losses.drop(request.field("encodings"), "vectors are of floats only")
    if request.truncate in ("start", "end"):
        losses.drop(request.field("truncate"), "a text that is too long is refused")
    if request.title:
        losses.drop(request.field("title"), "its documents have no titles")
    if request.user:
        body["user"] = request.user
    for path in request.extra:
        losses.drop(path)
    for path in request.hints:
        losses.hint(path)
    return body


def parse_embed_answer(body: Json, model: str = "") -> EmbedAnswer:
    """In the order of the inputs, whatever the order they are told in. Raises Unreadable."""
    whole = Members(body, "", unreadable)
    if "data" not in whole:
        raise unreadable("data", "an array")
    placed: dict[int, list[float]] = {}
    data = whole.each("data")
    for place, one in enumerate(data):
        index = one.integer("index")
        placed[place if index is None else index] = _vector(one.take("embedding"))
    if sorted(placed) != list(range(len(data))):
        raise Unreadable("the embeddings are not one for each index")
    answer = EmbedAnswer(model=whole.text("model") or model, vectors=[placed[place] for place in range(len(placed))])
    try:
        answer.usage = from_chat(msgspec.convert(whole.take("usage"), ChatUsage)) or {}
    except msgspec.ValidationError:
        answer.usage = {}
    answer.extra = whole.left()
    return answer


def _vector(told: Json) -> list[float]:
    if isinstance(told, str):
        return unpacked(told)
    try:
        found = msgspec.convert(told, list[float])
    except msgspec.ValidationError:
        raise Unreadable("an embedding is no array of numbers") from None
    if not found:
        raise Unreadable("an embedding is empty")
    return found


def unpacked(text: str) -> list[float]:
    """Raises Unreadable."""
    try:
        raw = base64.b64decode(text, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    except (binascii.Error, struct.error, ValueError):
        raise Unreadable("an embedding is no base64 of float32") from None


def packed(vector: list[float]) -> str:
    """Raises Unreadable for a number that float32 does not hold."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError):
        raise Unreadable("an embedding holds a number beyond float32") from None


def render_embed_answer(answer: EmbedAnswer, request: EmbedRequest, *, model: str) -> Json:
    """`model` as the caller named it. Where the vendor tells no count (Gemini), the same is told as is booked: an estimate.
    Raises Unreadable."""
    usage = answer.usage
    count = usage.get("input", 0) + usage.get("cached_read", 0) if usage else estimated(request)
    in_base64 = request.encodings == ["base64"]
    data = [
        {"object": "embedding", "index": index, "embedding": packed(vector) if in_base64 else vector}
        for index, vector in enumerate(answer.vectors)
    ]
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": count, "total_tokens": count}}


def estimated(request: EmbedRequest) -> int:
    return sum(-(-len(text.encode()) // BYTES_PER_TOKEN) for text in request.inputs)


def refuse_nothing(request: EmbedRequest) -> None:
    """Raises BadRequest for a request without a text: there is nothing that another dialect could embed."""
    if not request.inputs or not all(request.inputs):
        field = request.field("inputs")
        if request.extra.get("input"):
            text = "Token ids can be embedded only by the vendor whose tokens they are. Send the text."
            raise BadRequest(text, param=field, code="not_expressible")
        raise BadRequest(f"The field {field} holds no text.", param=field, code="invalid_value")
