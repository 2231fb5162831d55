"""Rankings across dialects: what OpenAI-compatible vendors have in common, and Cohere's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.reranking import RerankAnswer, RerankRequest, with_documents
from llmgateway.proxy.dialects import openai_rerank as openai
from llmgateway.proxy.dialects.cohere import rerank as cohere
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import CHAT, OPERATIONS
from llmgateway.proxy.providers import COHERE as COHERE_CHAT
from llmgateway.proxy.translation.base import Translation, of_call
from llmgateway.proxy.translation.whole import WholeMeter

if TYPE_CHECKING:
    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment

COHERE = "cohere-rerank"


def _dialect(wire: str) -> str:
    """In whose way a wire says no."""
    return COHERE_CHAT if wire == COHERE else CHAT


class Ranking(Translation):
    __slots__ = ("_caller", "_model", "_request", "_request_id", "_wire")

    def __init__(self, inbound: Inbound, request: RerankRequest, wire: str, *, body: Json, losses: Losses) -> None:
        path = "/v2/rerank" if wire == COHERE else "/rerank"
        super().__init__(path=path, body=msgspec.json.encode(body), dropped=losses.header())
        self._caller = inbound.endpoint.wire
        self._wire = wire
        self._request = request
        self._model = inbound.model
        self._request_id = inbound.request.id

    def meter(self) -> Meter:
        return WholeMeter(self._rewritten, what="ranking")

    def _rewritten(self, body: bytes) -> tuple[Json, Usage]:
        answer = self.read(body)
        return self.written(answer), answer.usage

    def error(self, status: int, body: bytes) -> bytes:
        failure = of_call(DIALECTS[_dialect(self._wire)].parse_error(status, body))
        return DIALECTS[_dialect(self._caller)].render_error(failure, self._request_id)

    def read(self, body: bytes) -> RerankAnswer:
        """Raises Unreadable and what decoding does."""
        told = msgspec.json.decode(body)
        answer = cohere.parse_rerank_answer(told) if self._wire == COHERE else openai.parse_rerank_answer(told)
        if any(one.index >= len(self._request.documents) for one in answer.results):
            raise Unreadable("a document was ranked that was not sent")
        return with_documents(answer, self._request)

    def written(self, answer: RerankAnswer) -> Json:
        if self._caller == COHERE:
            answer.id = answer.id or self._request_id
            return cohere.render_rerank_answer(answer)
        return openai.render_rerank_answer(answer, model=self._model, request_id=self._request_id)


def asked(inbound: Inbound) -> RerankRequest:
    """Raises BadRequest."""
    body = msgspec.json.decode(inbound.body)
    request = cohere.parse_rerank(body) if inbound.endpoint.wire == COHERE else openai.parse_rerank(body)
    if not request.documents:
        raise BadRequest("The field documents must not be empty.", param="documents", code="invalid_value")
    return request


def rerank(inbound: Inbound, deployment: Deployment) -> Ranking:
    """Raises BadRequest."""
    wire = OPERATIONS[deployment.dialect]["rerank"]
    request = asked(inbound)
    target = Target(dialect=_dialect(wire), model=deployment.model, facts=deployment.facts)
    losses = Losses(target.label)
    write = cohere.render_rerank if wire == COHERE else openai.render_rerank
    body = write(request, target, losses)
    losses.check(allowed=inbound.lossy)
    return Ranking(inbound, request, wire, body=body, losses=losses)
