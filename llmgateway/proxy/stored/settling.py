"""What a batch has used, told once, when it has ended.

Whoever sees the end first (its owner's look, or the watch of any worker) reads the results and writes an intent and a
settlement for each model. Their ids come from the batch's own id and their time from the provider, so whoever does it
again, after a crash or beside another worker, writes the same events, and the ledger takes each once. Before that, a
claim keeps two from doing it at the same time, so that budgets count it once as well.

Batches are charged at the prices that were valid when they were checked, without the vendors' rebate (half the price, as
a rule), which no price list of the house knows yet: an upper bound.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from dataplane import money
from dataplane.call import Leg, Usage
from dataplane.errors import JournalFull, UpstreamFailed
from dataplane.events import Intent, UsageEvent
from dataplane.money import Rates
from dataplane.pins import Pin
from llmgateway.proxy.runtime import Deployment
from llmgateway.proxy.stored.accounts import place_at, runtime_of
from llmgateway.proxy.stored.asking import asked, lines
from llmgateway.proxy.stored.notes import FileNote, Made, Order, Priced, order_of, written
from llmgateway.proxy.stored.wires import WIRES, Ended, Wire

if TYPE_CHECKING:
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.batches")

CLAIM_SECONDS = 300
"""A worker that dies while it reads results keeps the others from it for so long."""

_EVENTS = uuid.UUID("6f2f6a52-6a4b-5d0c-9a55-0c4b8f1e7d21")
"""The name space of the events' ids. Never to be changed: what is settled would be settled once more."""


class NotYet(UpstreamFailed):
    """The results can't be read now; the batch stays open."""

    code = "batch_not_settled"


async def settle(kit: Kit, ident: str, batch: dict[str, Any]) -> bool:
    """Settles a batch that has ended, if it is still open and nobody else is at it; whether it did. Raises NotYet, JournalFull
    and Unavailable: then it is open as before."""
    pin = await kit.pins.find(ident)
    order = None if pin is None or not pin.open else order_of(pin)
    if pin is None or order is None:
        return False
    wire = WIRES[order.wire]
    notice_outputs(kit, ident, pin, wire.outputs(batch))
    ended = wire.ended(batch)
    if ended is None or not await kit.pins.claim(ident, CLAIM_SECONDS):
        return False
    settled = False
    try:
        pin = await kit.pins.find(ident, fresh=True)
        if pin is not None and pin.open:
            spent = await _spent(kit, pin, order, wire, ended)
            for model in sorted(spent):
                _write(kit, ident, pin, order, ended=ended, model=model, usage=spent[model])
            kit.pins.remember(ident, msgspec.structs.replace(pin, open=False))
            settled = True  # and the claim stays, until all workers may know
    finally:
        if not settled:
            await kit.pins.release(ident)
    return settled


def notice_outputs(kit: Kit, ident: str, pin: Pin, outputs: list[str]) -> None:
    """What a batch has made belongs to who ordered it."""
    note = written(FileNote(made=Made(ident)))
    for output in outputs:
        kit.pins.remember(output, Pin(provider=pin.provider, provider_name=pin.provider_name, owner=pin.owner, kind="file", note=note))


def leg_of(place: Deployment, path: str, wire: Wire) -> Leg:
    """A request of the house's own."""
    return place.leg(path, headers=list(wire.headers), body=b"", method="GET", content_type="")


def place_of(kit: Kit, pin: Pin) -> Deployment:
    """Raises NotYet."""
    place = place_at(runtime_of(kit, kit.store.current), pin.provider)
    if place is None:
        raise NotYet(f"The provider {pin.provider_name} is not served at the moment.")
    return place


async def _spent(kit: Kit, pin: Pin, order: Order, wire: Wire, ended: Ended) -> dict[str, Usage]:
    """What was used, by the provider's name of the model as the order has it."""
    if not ended.results:
        return {}
    spent: dict[str, Usage] = {}
    async with asked(leg_of(place_of(kit, pin), ended.results, wire)) as answer:
        if answer.status == 200:
            async for line in lines(answer):
                if (told := wire.spent(line)) is not None:
                    _add(spent, _ordered_as(told.model, order.models), told.usage)
            return spent
        status = answer.status
    if status not in (404, 410):
        raise NotYet(f"The results of the batch can't be read: the provider answered {status}.")
    log.warning("the results of a batch at %s are gone; it is settled by its own account", pin.provider_name)
    return {} if ended.total is None else {_ordered_as("", order.models): ended.total}


def _ordered_as(told: str, models: dict[str, Priced]) -> str:
    """Providers answer with a dated name (`gpt-4o-2024-08-06` for `gpt-4o`). Where that leads to none of the models that were
    ordered it counts as the dearest of them."""
    if told in models:
        return told
    prefixes = [model for model in models if told.startswith(model)]
    return max(prefixes, key=len) if prefixes else max(models, key=lambda model: _dearness(models[model]))


def _dearness(priced: Priced) -> int:
    return -1 if priced.price is None else Rates(priced.price).reserve(input_tokens=1_000_000, output_tokens=1_000_000)


def _add(spent: dict[str, Usage], model: str, usage: Usage) -> None:
    total = spent.setdefault(model, {"requests": 0})
    total["requests"] += 1
    for meter, count in usage.items():
        total[meter] = total.get(meter, 0) + count


def event_id(provider: str, batch: str, model: str) -> str:
    return str(uuid.uuid5(_EVENTS, f"{provider}\n{batch}\n{model}"))


def _write(kit: Kit, ident: str, pin: Pin, order: Order, *, ended: Ended, model: str, usage: Usage) -> None:
    """Nothing is awaited from the admission to the settlement: a slice is never stated between them."""
    priced = order.models[model]
    rates = None if priced.price is None else Rates(priced.price)
    charge = None if rates is None else rates.charge(usage)
    whom = order.principal
    common: dict[str, Any] = {
        "id": event_id(pin.provider_name, ident, model),
        "request_id": order.request_id,
        "at": ended.at,
        "plane": "llm",
        "principal": whom.ref,
        "principal_name": whom.name,
        "key": order.key,
        "key_name": order.key_name,
        "team": whom.team,
        "team_name": order.team_name,
        "model": priced.alias,
        "provider": pin.provider_name,
        "deployment": model,
    }
    price = "" if rates is None else rates.ref
    admission = kit.limits.owe(order.key_record(), model=priced.alias)
    try:
        kit.journal.intent(Intent(**common, price=price, accounts=admission.accounts, estimate=usage))
    except JournalFull:
        admission.settle(None, 0)
        raise
    cost = None if charge is None else money.atto_to_text(charge)
    kit.journal.settle(UsageEvent(**common, outcome="ok", status=200, usage=usage, cost=cost, price=price or None))
    tokens = usage.get("input", 0) + usage.get("cached_read", 0) + usage.get("output", 0)
    admission.settle(None if charge is None else money.atto_to_nano(charge), tokens)
    kit.metrics.call("llm", "ok", 0.0)
