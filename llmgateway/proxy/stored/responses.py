"""What was stored of responses: fetched, cancelled, deleted, resumed, and what becomes of a conversation that got too long.

Nothing here is charged but compaction: what a response used was settled when it was ordered.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from dataplane.call import Call
from llmgateway.proxy.dialects.openai_responses.meter import ResponsesMeter
from llmgateway.proxy.stored.modelled import open_modelled
from llmgateway.proxy.stored.notices import Noticing, of_items
from llmgateway.proxy.stored.relaying import StoredCall, leg_to
from llmgateway.proxy.stored.visit import Address, StoredGateway, Visit, below

ROOT = "/v1/responses"


async def _call(visit: Visit, path: str) -> StoredCall:
    account = await visit.own_account("response")
    leg = leg_to(account, visit.request, path.format(*visit.ids))
    return StoredCall(visit.kit, visit.request, visit.key, visit.snapshot, account=account, leg=leg)


async def _fetched(visit: Visit) -> Call:
    """Whole, or as the stream that it was made in, from where the caller had come to (`starting_after`)."""
    call = await _call(visit, "/responses/{}")
    call.stream = parse_qs(visit.request.query.decode("latin-1")).get("stream", [""])[-1].lower() in ("true", "1")
    call.meters = lambda passing: Noticing(ResponsesMeter(False), call.take)
    return call


async def _deleted(visit: Visit) -> Call:
    return (await _call(visit, "/responses/{}")).then(lambda body: visit.kit.pins.forget(visit.ids[0]))


async def _input_items(visit: Visit) -> Call:
    return (await _call(visit, "/responses/{}/input_items")).makes(of_items)


async def _cancelled(visit: Visit) -> Call:
    call = await _call(visit, "/responses/{}/cancel")
    call.meters = lambda passing: Noticing(ResponsesMeter(False), call.take)
    return call


async def _compacted(visit: Visit) -> Call:
    return await open_modelled(visit, "/responses/compact", free=False)


async def _counted(visit: Visit) -> Call:
    return await open_modelled(visit, "/responses/input_tokens", free=True)


ADDRESSES = (
    Address("POST", "/v1/responses/compact", _compacted),
    Address("POST", "/v1/responses/input_tokens", _counted),
    Address("GET", "/v1/responses/{}", _fetched),
    Address("DELETE", "/v1/responses/{}", _deleted),
    Address("GET", "/v1/responses/{}/input_items", _input_items),
    Address("POST", "/v1/responses/{}/cancel", _cancelled),
)
ROUTES = below(ROOT, StoredGateway(ADDRESSES), exact=False)
