"""/v1/batches: ordered, looked at, cancelled, and settled when they have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from dataplane.asgi import respond
from dataplane.call import Call
from dataplane.errors import BadRequest, BudgetExceeded, HouseError, NotFound
from dataplane.money import from_nano, to_text
from dataplane.pins import Pin
from dataplane.pipeline import admit
from llmgateway.proxy import body as bodies
from llmgateway.proxy.stored import accounts
from llmgateway.proxy.stored.accounts import Account
from llmgateway.proxy.stored.asking import ask
from llmgateway.proxy.stored.keeping import about
from llmgateway.proxy.stored.listing import FreeCall, Listing
from llmgateway.proxy.stored.notes import Checked, Priced, file_note, ordered_by, written
from llmgateway.proxy.stored.notices import decoded
from llmgateway.proxy.stored.owners import own, owner_of, pinned
from llmgateway.proxy.stored.references import references
from llmgateway.proxy.stored.relaying import StoredCall, leg_to, own_request_id
from llmgateway.proxy.stored.settling import notice_outputs, settle
from llmgateway.proxy.stored.visit import Address, StoredGateway, Visit, below
from llmgateway.proxy.stored.wires import OPENAI, WIRES, batch_in

log = logging.getLogger("customhouse.batches")

BATCH = "batch"
SETTLE_WITHIN = 10.0
"""Seconds that a caller's look at its batch waits for the settlement; what takes longer is left to the watch."""


async def _ordered(visit: Visit) -> Call:
    body, fields = await visit.body()
    input_file = bodies.string(fields, "input_file_id")
    checked = file_note(await own(visit.kit, visit.key, input_file, kind="file")).checked
    if checked is None:
        raise BadRequest("The file was not uploaded with the purpose batch.", param="input_file_id", code="not_a_batch_file")
    allowed = visit.snapshot.allowed(visit.key)
    for priced in checked.models.values():
        if f"model:{priced.alias}" not in allowed:
            text = f"The model {priced.alias!r} does not exist or you have no access to it."
            raise NotFound(text, param="model", code="model_not_found")
    provider = await pinned(visit.kit, visit.key, references(fields))
    assert provider is not None  # the file is among the references
    account = accounts.account_at(visit.runtime, allowed, provider, input_file)
    await cover(visit, checked)
    leg = leg_to(account, visit.request, "/batches", body=body)
    call = StoredCall(visit.kit, visit.request, visit.key, visit.snapshot, account=account, leg=leg)
    return call.then(lambda answer: remember(visit, account, answer, wire=OPENAI, models=checked.models))


async def cover(visit: Visit, checked: Checked) -> None:
    """Money for the most that it can cost must be there when it is ordered, all of it: nobody can stop it for want of money
    later on. It is not held until the batch ends, which may be a day. Raises BudgetExceeded."""
    most = checked.reserve
    if most is None:
        return
    admission = await visit.kit.limits.admit(visit.key, reserve=most, tokens=0, model="", within=True)
    covered = admission.covers(most)
    admission.settle(None, 0)
    if not covered:
        text = f"This batch may cost {to_text(from_nano(most))} USD, which is more than is left of a budget."
        raise BudgetExceeded(f"{text} Lower maxima of output make it cheaper.")


def remember(visit: Visit, account: Account, answer: bytes, *, wire: str, models: dict[str, Priced], kind: str = BATCH) -> None:
    """A batch was ordered: it is open until it is settled."""
    ident = decoded(answer).get("id")
    if not isinstance(ident, str):
        log.error("the answer to an order of a batch at %s has no id: it can't be metered", account.place.provider)
        return
    order = ordered_by(visit.key, visit.snapshot, wire=wire, request_id=visit.request.id, models=models)
    place = account.place
    pin = Pin(
        provider=place.provider_id, provider_name=place.provider, owner=owner_of(visit.key), kind=kind, note=written(order), open=True
    )
    visit.kit.pins.remember(ident, pin)


async def looked_at(visit: Visit, path: str, *, kind: str = BATCH, rewrite: Callable[[bytes], bytes] = bytes) -> None:
    """Its owner's look. One that has ended is settled before its owner hears of it."""
    pin = await own(visit.kit, visit.key, visit.ids[0], kind=kind)
    account = accounts.account_at(visit.runtime, visit.snapshot.allowed(visit.key), pin.provider, visit.ids[0])
    admission = await admit(visit.kit, FreeCall(visit.key, visit.snapshot))
    try:
        told = await ask(leg_to(account, visit.request, path.format(*visit.ids)))
    finally:
        admission.settle(None, 0)
    if told.status == 200:
        await _settle_soon(visit, pin, told.body)
    request = visit.request
    headers = [*told.headers, *own_request_id(account, request), (b"x-request-id", request.id.encode())]
    headers.append((b"x-customhouse-route", f"{account.place.provider}/batches; tries=1".encode("latin-1", "replace")))
    await respond(request.send, told.status, headers, rewrite(told.body))


async def _settle_soon(visit: Visit, pin: Pin, body: bytes) -> None:
    """What can't be settled now is settled by the watch: no reason to keep the batch from its owner."""
    ident, batch = visit.ids[0], batch_in(body)
    if not pin.open or batch.get("id") != ident:
        return
    try:
        async with asyncio.timeout(SETTLE_WITHIN):
            await settle(visit.kit, ident, batch)
    except (HouseError, TimeoutError) as error:
        log.warning("the batch %s is not settled yet: %s", ident, error)


async def _fetched(visit: Visit) -> None:
    await looked_at(visit, "/batches/{}")


async def _cancelled(visit: Visit) -> Call:
    pin = await own(visit.kit, visit.key, visit.ids[0], kind=BATCH)
    call = await about(visit, "/batches/{}/cancel", BATCH)
    return call.then(lambda body: notice_outputs(visit.kit, visit.ids[0], pin, WIRES[OPENAI].outputs(batch_in(body))))


def _seen(visit: Visit, ident: str, pin: Pin, item: msgspec.Raw) -> None:
    notice_outputs(visit.kit, ident, pin, WIRES[OPENAI].outputs(batch_in(bytes(memoryview(item)))))


ADDRESSES = (
    Address("POST", "/v1/batches", _ordered),
    Address("GET", "/v1/batches", Listing(accounts.BATCHES, BATCH, "/batches", usual=20, most=100, seen=_seen)),
    Address("GET", "/v1/batches/{}", _fetched),
    Address("POST", "/v1/batches/{}/cancel", _cancelled),
)
ROUTES = below("/v1/batches", StoredGateway(ADDRESSES))
