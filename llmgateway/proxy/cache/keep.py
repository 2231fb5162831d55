"""What a call of a model does about kept answers, once it is known to be let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.call import Call
from dataplane.idempotency import HEADER, order_of
from dataplane.keeping import Keeping
from dataplane.money import Rates
from dataplane.snapshot import KeyRecord
from llmgateway.proxy.cache.question import question_of
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.runtime import Model

if TYPE_CHECKING:
    from dataplane.kit import Kit


def concerns(inbound: Inbound, key: KeyRecord) -> bool:
    """Whether `keep` is to be asked at all. Nearly every call pays for this and for nothing else."""
    return key.cache or HEADER in inbound.request.headers


def keep(kit: Kit, call: Call, inbound: Inbound, model: Model, *, sent: bytes | None = None) -> None:
    """Sets the call's `keeping` where its key and its model agree to the cache, or it names an Idempotency-Key. `sent` stands
    for what was sent where that is not the inbound's body; such a call is never answered from the cache. Raises BadRequest
    for a malformed key."""
    key, request = call.key, inbound.request
    order = None
    if HEADER in request.headers:
        order = order_of(request, inbound.body if sent is None else sent, principal=key.principal.ref)
    question = None
    if key.cache and model.record.cache_ttl and sent is None:
        question = question_of(inbound, key=key, model=model, snapshot=call.snapshot)
    if order is None and question is None:
        return

    def rates(provider: str, deployment: str) -> Rates | None:
        for candidate in (model, *model.fallbacks):
            for place in candidate.deployments:
                if (place.provider, place.name) == (provider, deployment):
                    return place.rates
        return None

    own = [(b"request-id", request.id.encode())] if inbound.endpoint.own_request_id else []
    call.keeping = Keeping(kit, call, rates=rates, question=question, order=order, headers=own)
