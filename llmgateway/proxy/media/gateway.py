"""The addresses of images, sound, moderations and rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.asgi import Headers, Request
from dataplane.call import Call
from dataplane.errors import BadRequest, HouseError, MethodNotAllowed
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from llmgateway.proxy import body as bodies
from llmgateway.proxy.cache.keep import concerns, keep
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.media.call import MediaCall
from llmgateway.proxy.media.endpoints import MEDIA, Medium
from llmgateway.proxy.media.forms import Forms
from llmgateway.proxy.media.inbound import SINGLE, FormInbound
from llmgateway.proxy.opening import runtime_of
from llmgateway.proxy.runtime import Runtime

if TYPE_CHECKING:
    from dataplane.kit import Kit

USUAL_MODERATION = "omni-moderation-latest"
"""What OpenAI takes where a moderation names no model."""

_forms = Forms()


class MediaGateway:
    """One of these endpoints."""

    plane = "llm"

    def __init__(self, medium: Medium) -> None:
        self.medium = medium

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        if request.method != "POST":
            raise MethodNotAllowed("This address takes POST.", headers=(("allow", "POST"),))
        medium, runtime = self.medium, runtime_of(kit, snapshot)
        inbound: Inbound
        if medium.form:
            form = await _forms.take(request, kit.journal.directory.parent, single=SINGLE)
            inbound = FormInbound(medium.endpoint, request, form)
        else:
            body = await request.body()
            if not medium.names_model:
                body = with_model(body, runtime, snapshot.allowed(key), medium.endpoint.wire)
            inbound = Inbound(medium.endpoint, request, body)
        call = MediaCall(medium, inbound, key=key, snapshot=snapshot, runtime=runtime)
        if concerns(inbound, key):
            sent = await inbound.form.digest() if isinstance(inbound, FormInbound) else None
            keep(kit, call, inbound, runtime.models[call.model], sent=sent)
        return call

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return self.medium.endpoint.refuse(request, error)


def with_model(body: bytes, runtime: Runtime, allowed: frozenset[str], wire: str) -> bytes:
    """The body of a moderation, with the model that it means where it names none: the vendor's usual one where the caller
    may use it, else the one granted model that moderates. Which do is told by their names at the provider, since nothing
    else tells it. Raises BadRequest where that is none or several."""
    fields = bodies.parse(body)
    if fields.get("model") is not None and bytes(memoryview(fields["model"])) != b"null":
        return body
    if f"model:{USUAL_MODERATION}" in allowed and USUAL_MODERATION in runtime.models:
        return bodies.rewrite(body, fields, {"model": USUAL_MODERATION})
    found = sorted(name for name in runtime.models if f"model:{name}" in allowed and _moderates(runtime, name, wire))
    if len(found) == 1:
        return bodies.rewrite(body, fields, {"model": found[0]})
    reason = "several models that moderate are" if found else "no model that moderates is"
    raise BadRequest(f"The field model is required: {reason} granted to this key.", param="model", code="missing_field")


def _moderates(runtime: Runtime, name: str, wire: str) -> bool:
    return any(wire in place.wires and "moderation" in place.model.lower() for place in runtime.models[name].deployments)


def gateways() -> dict[str, MediaGateway]:
    return {path: MediaGateway(medium) for path, medium in MEDIA.items()}
