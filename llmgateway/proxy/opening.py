"""How a call of a model is opened: what all endpoints do once they know what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.call import Call
from dataplane.snapshot import KeyRecord, LlmSection
from dataplane.store import Snapshot
from llmgateway.proxy.call import ModelCall
from llmgateway.proxy.estimate import counted_here
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.runtime import Runtime

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
    return ModelCall(inbound, key=key, snapshot=snapshot, runtime=runtime)
