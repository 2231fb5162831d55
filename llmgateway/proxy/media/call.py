"""One call for images, sound, a judgement or a ranking: resolved, granted and relayed as every call of a model is, but
measured by what it makes."""

from __future__ import annotations

from dataplane.call import Leg, Meter
from dataplane.money import Rates
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer
from llmgateway.proxy.call import IDEMPOTENCY, ModelCall
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.media import sizes
from llmgateway.proxy.media.endpoints import Medium
from llmgateway.proxy.media.inbound import FormInbound
from llmgateway.proxy.media.meters import Severable, SoundMeter
from llmgateway.proxy.runtime import Deployment, Model, Runtime

EVENTS = "text/event-stream"
_OWN = (IDEMPOTENCY.decode(), "x-request-id")


class MediaCall(ModelCall):
    """One of the media. It stays what it is on every leg."""

    __slots__ = ("_medium", "_sending")

    def __init__(self, medium: Medium, inbound: Inbound, *, key: KeyRecord, snapshot: Snapshot, runtime: Runtime) -> None:
        """Raises BadRequest and NotFound."""
        self._medium = medium
        super().__init__(inbound, key=key, snapshot=snapshot, runtime=runtime)
        if medium.binary:
            self.stream = True
            self._sending = Severable(inbound.request)

    def _estimate(self, model: Model, rates: list[Rates]) -> None:
        self._medium.endpoint.bounds(self._inbound.fields)
        size = self._medium.measure(self._inbound)
        if rates:
            self.reserve = max(sizes.most_cost(rate, size.most) for rate in rates)
        self.estimate = sizes.settled_with(size.likely, rates)
        self.tokens = size.likely.get("input", 0) + size.likely.get("output", 0)
        self.expectation = self.model

    def _leg(self, deployment: Deployment) -> Leg:
        leg = super()._leg(deployment)
        inbound = self._inbound
        if not isinstance(inbound, FormInbound):
            return leg
        own = [pair for pair in leg.headers if pair[0] in _OWN]
        headers = [*inbound.forwarded(), *own, ("content-type", inbound.form.content_type)]
        leg = deployment.leg(inbound.path, headers=headers, body=b"", query=inbound.query(), content_type="")
        leg.body = inbound.form.body(deployment.model)
        return leg

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        if self._translation is not None:
            return self._translation.meter()
        kind = answer.header("content-type") or ""
        if self._medium.binary and not kind.startswith(EVENTS):
            return SoundMeter(self._sending)
        return self._medium.meter(is_json="json" in kind, rates=leg.rates)

    def is_stream(self, answer: Answer) -> bool:
        return super().is_stream(answer) or (self._medium.binary and answer.status < 300)
