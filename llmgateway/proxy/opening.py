"""How a call of a model is opened: what all endpoints do once they know what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.call import Call
from dataplane.snapshot import KeyRecord, LlmSection
from dataplane.store import Snapshot
from llmgateway.proxy.cache.keep import keep
from llmgateway.proxy.call import ModelCall
from llmgateway.proxy.estimate import counted_here
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.providers import RESPONSES
from llmgateway.proxy.runtime import Runtime
from llmgateway.proxy.stored.notices import noticing
from llmgateway.proxy.stored.owners import pinned, preferred
from llmgateway.proxy.stored.references import reasoning_pins, references

if TYPE_CHECKING:
    from dataplane.kit import Kit


def runtime_of(kit: Kit, snapshot: Snapshot) -> Runtime:
    """The snapshot's models made ready, worked out once for each published section."""
    return snapshot.view(snapshot.llm, lambda section: _runtime(kit, section))


def _runtime(kit: Kit, section: object) -> Runtime:
    assert isinstance(section, LlmSection)
    return Runtime(kit, section)


async def open_call(kit: Kit, inbound: Inbound, key: KeyRecord, snapshot: Snapshot) -> Call | None:
    """None: the house has answered by itself. Raises BadRequest and NotFound."""
    runtime = runtime_of(kit, snapshot)
    if await counted_here(inbound, key=key, snapshot=snapshot, runtime=runtime):
        return None
    call = ModelCall(inbound, key=key, snapshot=snapshot, runtime=runtime)
    if inbound.endpoint.refers:
        await _heed_what_is_stored(kit, call, inbound)
    keep(kit, call, inbound, runtime.models[call.model])
    return call


async def _heed_what_is_stored(kit: Kit, call: ModelCall, inbound: Inbound) -> None:
    """What a call refers to lies at one provider's, and is its owner's alone; what it reasoned is read best where it was made."""
    if ids := references(inbound.fields):
        inbound.anew = True
        call.stay_at(await pinned(kit, call.key, ids))
    elif inbound.endpoint.wire == RESPONSES and (sealed := reasoning_pins(inbound.fields)):
        call.prefer(await preferred(kit, call.key, sealed))
    if inbound.endpoint.wire == RESPONSES:
        call.notice = lambda deployment, meter: noticing(kit, call.key, deployment, meter, inbound.fields)
