"""How a call of a model is opened: what all endpoints do once they know what was sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dataplane.call import Call
from dataplane.snapshot import KeyRecord, LlmSection
from dataplane.store import Snapshot
from llmgateway.proxy.cache.keep import concerns, keep
from llmgateway.proxy.call import ModelCall
from llmgateway.proxy.estimate import counted_here
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.providers import RESPONSES
from llmgateway.proxy.runtime import Runtime
from llmgateway.proxy.stored.google_references import google_references
from llmgateway.proxy.stored.notices import noticing
from llmgateway.proxy.stored.owners import pinned, preferred
from llmgateway.proxy.stored.references import reasoning_pins, references

if TYPE_CHECKING:
    from dataplane.kit import Kit


LARGE = 128 * 1024
"""Bytes of a body that is read and written beside the event loop: a conversation of very many small parts takes a tenth of a
second, in which nobody else would be served."""


def runtime_of(kit: Kit, snapshot: Snapshot) -> Runtime:
    """The snapshot's models made ready, worked out once for each published section."""
    return snapshot.view(snapshot.llm, lambda section: _runtime(kit, section))


def _runtime(kit: Kit, section: object) -> Runtime:
    assert isinstance(section, LlmSection)
    return Runtime(kit, section)


async def open_call(kit: Kit, inbound: Inbound, key: KeyRecord, snapshot: Snapshot) -> Call | None:
    """None: the house has answered by itself. Raises BadRequest and NotFound."""
    runtime = runtime_of(kit, snapshot)
    large = len(inbound.body) > LARGE and _may_be_translated(inbound, runtime)
    if await counted_here(inbound, key=key, snapshot=snapshot, runtime=runtime):
        return None
    if large:
        call = await asyncio.to_thread(ModelCall, inbound, key=key, snapshot=snapshot, runtime=runtime)
    else:
        call = ModelCall(inbound, key=key, snapshot=snapshot, runtime=runtime)
    if inbound.remarkable and inbound.from_address:
        await pinned(kit, key, google_references(inbound.body))
    if inbound.endpoint.refers and (inbound.remarkable or inbound.endpoint.wire == RESPONSES):
        await _heed_what_is_stored(kit, call, inbound)
    if concerns(inbound, key):
        keep(kit, call, inbound, runtime.models[call.model])
    return call


def _may_be_translated(inbound: Inbound, runtime: Runtime) -> bool:
    model = runtime.models.get(inbound.model)
    return model is not None and any(inbound.endpoint.wire not in place.wires for place in model.all_deployments)


async def _heed_what_is_stored(kit: Kit, call: ModelCall, inbound: Inbound) -> None:
    """What a call refers to lies at one provider's, and is its owner's alone; what it reasoned is read best where it was made."""
    if inbound.remarkable and (ids := references(inbound.fields)):
        inbound.anew = True
        call.stay_at(await pinned(kit, call.key, ids))
    elif inbound.remarkable and inbound.endpoint.wire == RESPONSES and (sealed := reasoning_pins(inbound.fields)):
        call.prefer(await preferred(kit, call.key, sealed))
    if inbound.endpoint.wire == RESPONSES:
        call.notice = lambda deployment, meter: noticing(kit, call.key, deployment, meter, inbound.fields)
