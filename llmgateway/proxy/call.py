"""One call of a model. Where a deployment speaks the caller's dialect, bytes pass but for the fields the gateway owns;
otherwise the call is translated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from dataplane.asgi import Headers
from dataplane.call import Call, Leg, Meter
from dataplane.errors import BadRequest, HouseError, NotFound, Unavailable
from dataplane.money import Rates
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer
from llmgateway.proxy import body as bodies
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.paths import filled
from llmgateway.proxy.routing import with_fallbacks
from llmgateway.proxy.runtime import Deployment, Model, Runtime
from llmgateway.proxy.translation import Translation, translate
from llmgateway.proxy.translation.base import ACCOUNT_REFUSED, account_refused
from llmgateway.proxy.translation.maximum import most_written

BYTES_PER_TOKEN = 3
"""For the most a prompt can cost: English text has about four bytes to a token, Chinese about three."""

IDEMPOTENCY = b"idempotency-key"

REFERRED_TOKENS = 128_000
"""Reserved for what a body only names (an image's address, a file, an earlier response): it may fill a context window."""

_RETRIES = ("retry-after", "retry-after-ms", "x-should-retry")
_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-")
_OWN_ACCOUNT = frozenset(("openai-organization", "openai-project", "anthropic-organization-id"))
"""Headers that name the house's account at the provider."""


class ModelCall(Call):
    plane = "llm"
    __slots__ = ("_deployment", "_inbound", "_only", "_preferred", "_ready", "_runtime", "_translation", "notice")

    def __init__(self, inbound: Inbound, *, key: KeyRecord, snapshot: Snapshot, runtime: Runtime) -> None:
        """Resolves, authorizes and estimates. Raises BadRequest and NotFound."""
        super().__init__(key, snapshot)
        self._inbound = inbound
        self._runtime = runtime
        self._translation: Translation | None = None
        self._ready: tuple[Deployment, Translation] | None = None
        self._deployment: Deployment | None = None
        self._only: int | None = None
        self._preferred: int | None = None
        self.notice: Callable[[Deployment, Meter], Meter] | None = None
        """Wraps the reader of an answer in the provider's own dialect, to see what it gives out."""
        self.model = inbound.model
        model = runtime.models.get(self.model)
        if model is None or f"model:{self.model}" not in snapshot.allowed(key):
            raise unknown_model(self.model)
        inbound.check()
        self.stream = inbound.stream
        self.first_event, self.idle = model.record.first_token_timeout, model.record.idle_timeout
        endpoint = inbound.endpoint
        rates = model.rates(endpoint.wire, endpoint.operation)
        if rates is None:
            raise _other_dialect(model)
        self._estimate(model, rates)
        if not any(endpoint.wire in place.wires for tier in model.tiers_for(endpoint.wire, endpoint.operation) for place in tier):
            # What can't be expressed anywhere is refused here, before money and limits are touched.
            next(self.legs(), None)

    def _estimate(self, model: Model, rates: list[Rates]) -> None:
        endpoint, fields, body = self._inbound.endpoint, self._inbound.fields, self._inbound.body
        bounds = endpoint.bounds(fields)
        output = 0
        if endpoint.has_output:
            output = model.most_output if bounds.output is None else bounds.output
            output = max(output, most_written(self._inbound, model.all_deployments)) * max(1, bounds.answers or 1)
        size = len(body)
        most = size // BYTES_PER_TOKEN + 1
        if bodies.refers_elsewhere(body if self._inbound.remarkable else b"", fields):
            most += REFERRED_TOKENS
        if endpoint.free:
            self.reserve = 0
        elif rates:
            self.reserve = max(rate.reserve(input_tokens=most, output_tokens=output) for rate in rates)
        self.tokens = 0 if endpoint.free else size // 4 + (bounds.output or 0)
        # What is made in the background is told to whoever fetches it, not to the call that ordered it: that one is
        # settled with the most it can be.
        in_background = endpoint.has_output and bodies.is_true(fields, "background")
        self.estimate = {"input": most, "output": output} if in_background else {"input": size // 4, "output": 0}
        if endpoint.free:
            self.estimate = {}
        self.expectation = self.model
        self.journaled = not endpoint.free

    def legs(self) -> Iterator[Leg]:
        """A deployment for which the call can't be expressed is passed over. Raises BadRequest when that is all of them."""
        endpoint = self._inbound.endpoint
        refused: BadRequest | None = None
        any_leg = False
        for deployment in self._ordered(with_fallbacks(self._runtime.models, self.model, endpoint.wire, endpoint.operation)):
            try:
                leg = self._leg(deployment)
            except BadRequest as error:
                refused = refused or error
                continue
            any_leg = True
            yield leg
        if refused is not None and not any_leg:
            raise refused

    def _ordered(self, deployments: Iterator[Deployment]) -> Iterator[Deployment]:
        if self._only is not None:
            return (place for place in deployments if place.provider_id == self._only)
        if self._preferred is not None:
            return iter(sorted(deployments, key=lambda place: place.provider_id != self._preferred))
        return deployments

    def stay_at(self, provider: int | None) -> None:
        """Only deployments at this provider may take the call. Raises BadRequest when its model has none there."""
        self._only = provider
        endpoint = self._inbound.endpoint
        places = with_fallbacks(self._runtime.models, self.model, endpoint.wire, endpoint.operation)
        if not any(place.provider_id == provider for place in places):
            text = f"What this call refers to is stored at a provider that does not serve the model {self.model!r}."
            raise BadRequest(text, param="model", code="stored_elsewhere")

    def prefer(self, provider: int | None) -> None:
        """Deployments at this provider are tried first."""
        self._preferred = provider

    def _leg(self, deployment: Deployment) -> Leg:
        inbound = self._inbound
        translation: Translation | None = None
        if inbound.endpoint.wire in deployment.wires and not inbound.sealed:
            _names_no_other_model(deployment, inbound)
            headers = inbound.forwarded()
            path = deployment.prefix + filled(inbound.path, deployment.model)
            body, query = inbound.rewritten(deployment.model), inbound.query()
        else:
            translation = self._translated(deployment)
            headers, path, body, query = [*translation.headers], translation.path, translation.body, translation.query
        if (idempotency := inbound.request.headers.get(IDEMPOTENCY)) is not None:
            headers.append((IDEMPOTENCY.decode(), _own(idempotency, self.key.principal.ref)))
        headers.append(("x-request-id", inbound.request.id))  # so that a call can be found in the provider's log as well
        leg = deployment.leg(path, headers=headers, body=body, query=query)
        self._translation, self._deployment = translation, deployment
        return leg

    def _translated(self, deployment: Deployment) -> Translation:
        """Written once where it is asked for again right away: a call that can only be translated is tried out first."""
        if self._ready is None or self._ready[0] is not deployment:
            self._ready = (deployment, translate(self._inbound, deployment))
        return self._ready[1]

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        if self._translation is not None:
            return self._translation.meter()
        meter = self._inbound.endpoint.meter(bool(self._inbound.injected))
        return meter if self.notice is None or self._deployment is None else self.notice(self._deployment, meter)

    def is_stream(self, answer: Answer) -> bool:
        if self._translation is not None:
            return self._translation.is_stream(answer.header("content-type") or "")
        return super().is_stream(answer) or (self.stream and self._inbound.from_address and answer.status < 300)

    def answer_headers(self, answer: Answer) -> Headers:
        headers = []
        translation = self._translation
        for name, value in answer.headers():
            if name in _RETRIES or (translation is None and _passes(name)):
                headers.append((name.encode(), value.encode("latin-1")))
            elif name in ("x-request-id", "request-id"):
                headers.append((b"x-upstream-request-id", value.encode("latin-1")))
        if translation is not None:
            headers += translation.answer_headers(answer.status)
        if self._inbound.endpoint.own_request_id:
            headers.append((b"request-id", self._inbound.request.id.encode()))
        return headers

    def errored(self, answer: Answer, body: bytes) -> bytes:
        if answer.status in ACCOUNT_REFUSED or (answer.status == 400 and b'"API_KEY_' in body and self._inbound.from_address):
            raise account_refused()
        return body if self._translation is None else self._translation.error(answer.status, body)

    def still_allowed(self, snapshot: Snapshot) -> bool:
        """A running call goes on through a republication as long as its model is served and granted."""
        if snapshot.llm is not self.snapshot.llm and not any(record.name == self.model for record in snapshot.llm.models):
            return False
        return f"model:{self.model}" in self.allowed(snapshot)


_OTHER_MODELS = {"openrouter": ("models", "preset", "route")}
"""By vendor, members by which a body asks for other models than the one that it names: ones that nobody granted or priced."""


def _names_no_other_model(deployment: Deployment, inbound: Inbound) -> None:
    for name in _OTHER_MODELS.get(deployment.facts.slug, ()):
        if name in inbound.fields:
            text = f"The field {name} would have another model answer than the one that was granted. The house has fallbacks of its own."
            raise BadRequest(text, param=name, code="other_model")


def _passes(name: str) -> bool:
    return name == "content-type" or (name.startswith(_PREFIXES) and name not in _OWN_ACCOUNT)


def _own(idempotency: bytes, principal: str) -> str:
    """All callers share the house's account at a provider: under one key two of them would get one answer."""
    return sha256(principal.encode() + b"\0" + idempotency).hexdigest()


def unknown_model(name: str) -> NotFound:
    """The one answer for a model that does not exist and for one that is not granted."""
    return NotFound(f"The model {name!r} does not exist or you have no access to it.", param="model", code="model_not_found")


def _other_dialect(model: Model) -> HouseError:
    spoken = sorted({deployment.dialect for deployment in model.deployments})
    if not spoken:
        text = f"The model {model.record.name!r} has no deployment that can be called."
        return Unavailable(text, param="model", code="model_not_served")
    text = f"The model {model.record.name!r} is served in the dialect {', '.join(spoken)}, which has no such operation."
    if model.record.native_only:
        text = f"The model {model.record.name!r} is served in its own dialect only ({', '.join(spoken)}), not in this endpoint's."
    return BadRequest(text, param="model", code="dialect_not_served")
