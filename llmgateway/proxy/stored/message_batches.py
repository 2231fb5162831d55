"""/v1/messages/batches: batches as Anthropic has them, with their calls in the order itself and their results at an address of
their own. Settled like the others.

An answer passes as it came but for `results_url`, which a provider fills with its own address: a caller that followed it
would show the house's key to the provider. It leads to the house, without naming a host, as SDKs take it.
"""

from __future__ import annotations

import asyncio
import re

import msgspec

from dataplane.call import Call
from dataplane.errors import BadRequest, Conflict, HouseError
from llmgateway.proxy import body as bodies
from llmgateway.proxy.dialects.errors import anthropic
from llmgateway.proxy.providers import MESSAGES
from llmgateway.proxy.stored import accounts
from llmgateway.proxy.stored.batch_calls import BatchCalls, Kind
from llmgateway.proxy.stored.batches import cover, looked_at, remember
from llmgateway.proxy.stored.keeping import about
from llmgateway.proxy.stored.listing import Listing
from llmgateway.proxy.stored.owners import own
from llmgateway.proxy.stored.relaying import StoredCall, leg_to
from llmgateway.proxy.stored.visit import Address, StoredGateway, Visit, below
from llmgateway.proxy.stored.wires import ANTHROPIC

KIND, ROOT = "message_batch", "/v1/messages/batches"
_ONE = "/messages/batches/{}"
MAX_ORDER = 64 * 1024 * 1024
"""Bytes of an order, which is held in memory: a quarter of what the vendor takes. Larger ones are to be ordered in parts."""

_CALL = Kind("/v1/messages", MESSAGES)
_RESULTS = re.compile(rb'("results_url"\s*:\s*)"[^"]*/([A-Za-z0-9_.-]+)/results"')
_requests = msgspec.json.Decoder(list[bodies.Fields])
_encode = msgspec.json.Encoder().encode


def at_the_house(body: bytes) -> bytes:
    return _RESULTS.sub(rb'\1"' + ROOT.encode() + rb'/\2/results"', body)


class Requests(BatchCalls):
    """The member `requests` of an order: `{"custom_id", "params"}` each."""

    word = "Request"

    def rewritten(self, raw: msgspec.Raw) -> bytes:
        """Raises HouseError, naming the request."""
        try:
            requests = _requests.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BadRequest("The field requests must be an array of objects.", param="requests", code="invalid_type") from None
        if not requests:
            raise BadRequest("A batch must have a request.", param="requests", code="invalid_value")
        return _encode([self._one(number, request) for number, request in enumerate(requests, 1)])

    def _one(self, number: int, request: bodies.Fields) -> bodies.Fields:
        try:
            for name in request:
                if name.casefold() == "params" and name != "params":
                    raise BadRequest(f"The field {name!r} is ambiguous.", param=name, code="ambiguous_field")
            params = request.get("params")
            if params is None:
                raise BadRequest("The field params is required.", param="params", code="missing_field")
            return {**request, "params": msgspec.Raw(self.call(number, bytes(memoryview(params)), _CALL))}
        except HouseError as error:
            raise self.named(number, error) from None


async def _ordered(visit: Visit) -> Call:
    _, fields = await visit.body(limit=MAX_ORDER)
    raw = fields.get("requests")
    if raw is None:
        raise BadRequest("The field requests is required.", param="requests", code="missing_field")
    allowed = visit.snapshot.allowed(visit.key)
    account = accounts.account_for(visit.runtime, visit.request, visit.key, visit.snapshot, what=accounts.MESSAGE_BATCHES)
    requests = Requests(visit.runtime, allowed, account)
    rewritten = await asyncio.to_thread(requests.rewritten, raw)
    await requests.refer(visit)
    checked = requests.checked
    await cover(visit, checked)
    leg = leg_to(account, visit.request, "/messages/batches", body=_encode({**fields, "requests": msgspec.Raw(rewritten)}))
    call = StoredCall(visit.kit, visit.request, visit.key, visit.snapshot, account=account, leg=leg)
    call.rewritten(at_the_house)
    return call.then(lambda answer: remember(visit, account, answer, wire=ANTHROPIC, models=checked.models, kind=KIND))


async def _fetched(visit: Visit) -> None:
    await looked_at(visit, _ONE, kind=KIND, rewrite=at_the_house)


async def _cancelled(visit: Visit) -> Call:
    return (await about(visit, _ONE + "/cancel", KIND)).rewritten(at_the_house)


async def _results(visit: Visit) -> Call:
    return (await about(visit, _ONE + "/results", KIND)).passed_through()


async def _deleted(visit: Visit) -> Call:
    """Not before it is known what it has used."""
    if (await own(visit.kit, visit.key, visit.ids[0], kind=KIND)).open:
        raise Conflict("The batch is not metered yet. Fetch it when it has ended, then delete it again.", code="batch_open")
    return (await about(visit, _ONE, KIND)).then(lambda body: visit.kit.pins.forget(visit.ids[0]))


ADDRESSES = (
    Address("POST", ROOT, _ordered),
    Address(
        "GET",
        ROOT,
        Listing(accounts.MESSAGE_BATCHES, KIND, "/messages/batches", usual=20, most=1000, after="after_id", rewrite=at_the_house),
    ),
    Address("GET", f"{ROOT}/{{}}", _fetched),
    Address("DELETE", f"{ROOT}/{{}}", _deleted),
    Address("POST", f"{ROOT}/{{}}/cancel", _cancelled),
    Address("GET", f"{ROOT}/{{}}/results", _results),
)
ROUTES = below(ROOT, StoredGateway(ADDRESSES, dialect=anthropic))
