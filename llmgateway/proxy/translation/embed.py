"""Vectors across dialects: OpenAI's embeddings, Gemini's embedContent and batchEmbedContents, Cohere's embed.

What nobody says of a vector's purpose is a document's for Cohere, which insists on one (`dialects.cohere.embed`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dataplane.call import Meter, Usage
from llmgateway.proxy.conversation.embedding import EmbedAnswer, EmbedRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects import openai_embeddings as openai
from llmgateway.proxy.dialects.cohere import embed as cohere
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.gemini import embed as gemini
from llmgateway.proxy.dialects.gemini.count import VERTEX
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.paths import filled
from llmgateway.proxy.providers import CHAT, COHERE, GEMINI, OPERATIONS, UNKNOWN, predicts
from llmgateway.proxy.translation.base import Translation, of_call
from llmgateway.proxy.translation.whole import WholeMeter

if TYPE_CHECKING:
    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment

SPOKEN = {"openai-embeddings": CHAT, "gemini-embed": GEMINI, "cohere-embed": COHERE}
"""The dialect in whose way a wire says no."""


class Written(NamedTuple):
    path: str
    body: Json


def _to_openai(request: EmbedRequest, deployment: Deployment, target: Target, losses: Losses) -> Written:
    return Written("/embeddings", openai.render_embed(request, target, losses))


def _to_gemini(request: EmbedRequest, deployment: Deployment, target: Target, losses: Losses) -> Written:
    if target.facts.slug == VERTEX and not predicts(target.facts, target.model):
        posted = _for_vertex(request, target, losses)
    else:
        posted = gemini.render_embed(request, target, losses)
    return Written(deployment.prefix + filled(f"/models/{{model}}:{posted.method}", deployment.model), posted.body)


def _for_vertex(request: EmbedRequest, target: Target, losses: Losses) -> gemini.Posted:
    """As the Gemini API's batch, with the settings where Vertex AI has them; other makers' models there take one text."""
    batch = gemini.render_embed(request, target._replace(facts=UNKNOWN["gemini"]), losses).body["requests"]
    requests: list[Json] = []
    for one in batch:
        settings = {name: value for name, value in one.items() if name not in ("model", "content")}
        requests.append({"content": one["content"], **({"embedContentConfig": settings} if settings else {})})
    if "maas" not in target.model:
        name = f"publishers/google/models/{target.model.rpartition('/')[2]}"
        return gemini.Posted(gemini.BATCH, {"requests": [{"model": name, **one} for one in requests]})
    if len(requests) > 1:
        losses.drop(request.field("inputs"), "it takes one text in a call")
    return gemini.Posted("embedContent", requests[0])


def _to_cohere(request: EmbedRequest, deployment: Deployment, target: Target, losses: Losses) -> Written:
    return Written("/v2/embed", cohere.render_embed(request, target, losses))


WRITE = {"openai-embeddings": _to_openai, "gemini-embed": _to_gemini, "cohere-embed": _to_cohere}
READ: dict[str, Callable[[Json, str], EmbedAnswer]] = {
    "openai-embeddings": openai.parse_embed_answer,
    "gemini-embed": gemini.parse_embed_answer,
    "cohere-embed": cohere.parse_embed_answer,
}


class Embedding(Translation):
    __slots__ = ("_caller", "_model", "_request", "_request_id", "_wire")

    def __init__(self, inbound: Inbound, request: EmbedRequest, wire: str, *, written: Written, losses: Losses) -> None:
        super().__init__(path=written.path, body=msgspec.json.encode(written.body), dropped=losses.header())
        self._caller = inbound.endpoint.wire
        self._wire = wire
        self._request = request
        self._model = inbound.model
        self._request_id = inbound.request.id

    def meter(self) -> Meter:
        return WholeMeter(self._rewritten, what="embeddings", estimate=self.estimated)

    def _rewritten(self, body: bytes) -> tuple[Json, Usage]:
        answer = self.read(body)
        return self.written(answer), answer.usage

    def error(self, status: int, body: bytes) -> bytes:
        failure = of_call(DIALECTS[SPOKEN[self._wire]].parse_error(status, body))
        return DIALECTS[SPOKEN[self._caller]].render_error(failure, self._request_id)

    def read(self, body: bytes) -> EmbedAnswer:
        """Raises Unreadable and what decoding does."""
        answer = READ[self._wire](msgspec.json.decode(body), self._model)
        if len(answer.vectors) != len(self._request.inputs):
            raise Unreadable(f"{len(answer.vectors)} embeddings came for {len(self._request.inputs)} texts")
        return answer

    def written(self, answer: EmbedAnswer) -> Json:
        if self._caller == "gemini-embed":
            return gemini.render_embed_answer(answer, single=self._request.single)
        if self._caller == "cohere-embed":
            answer.id = answer.id or self._request_id
            return cohere.render_embed_answer(answer, self._request)
        return openai.render_embed_answer(answer, self._request, model=self._model)

    def estimated(self) -> Usage:
        return {"input": openai.estimated(self._request)}


def asked(inbound: Inbound) -> EmbedRequest:
    """Raises BadRequest."""
    body = msgspec.json.decode(inbound.body)
    if inbound.endpoint.wire == "openai-embeddings":
        request = openai.parse_embed(body)
    elif inbound.endpoint.wire == "cohere-embed":
        request = cohere.parse_embed(body)
    elif inbound.endpoint.path.endswith(f":{gemini.BATCH}"):
        request = gemini.parse_batch(body, inbound.model)
    else:
        request = gemini.parse_embed(body, inbound.model)
    openai.refuse_nothing(request)
    return request


def embed(inbound: Inbound, deployment: Deployment) -> Embedding:
    """Raises BadRequest."""
    wire = OPERATIONS[deployment.dialect]["embed"]
    request = asked(inbound)
    target = Target(dialect=SPOKEN[wire], model=deployment.model, facts=deployment.facts)
    losses = Losses(target.label)
    written = WRITE[wire](request, deployment, target, losses)
    losses.check(allowed=inbound.lossy)
    return Embedding(inbound, request, wire, written=written, losses=losses)
