"""One call of a model, in a dialect that its deployments speak: bytes pass but for the fields the gateway owns."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from dataplane.asgi import Headers, Request
from dataplane.call import Call, Leg, Meter
from dataplane.errors import BadRequest, HouseError, NotFound, Unavailable, UpstreamFailed
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer
from llmgateway.proxy import body as bodies
from llmgateway.proxy.dialects.endpoint import Endpoint
from llmgateway.proxy.routing import with_fallbacks
from llmgateway.proxy.runtime import Deployment, Model, Runtime

BYTES_PER_TOKEN = 3
"""For the most a prompt can cost: English text has about four bytes to a token, Chinese about three."""

IDEMPOTENCY = b"idempotency-key"

REFERRED_TOKENS = 128_000
"""Reserved for what a body only names (an image's address, a file, an earlier response): it may fill a context window."""

_PASSED = ("retry-after", "retry-after-ms", "x-should-retry")
_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-")
_OWN_ACCOUNT = frozenset(("openai-organization", "openai-project", "anthropic-organization-id"))
"""Headers that name the house's account at the provider."""

_ACCOUNT_REFUSED = frozenset((401, 402, 407))
"""The provider refuses the house, not its caller: told as the caller's own, it would throw a good key away, and the
provider's text may quote the house's credential."""


class ModelCall(Call):
    plane = "llm"
    __slots__ = ("_body", "_endpoint", "_fields", "_injected", "_request", "_runtime")

    def __init__(self, endpoint: Endpoint, request: Request, *, key: KeyRecord, snapshot: Snapshot, runtime: Runtime, body: bytes) -> None:
        """Parses, resolves and authorizes. Raises BadRequest and NotFound."""
        super().__init__(key, snapshot)
        self._endpoint = endpoint
        self._request = request
        self._runtime = runtime
        self._body = body
        self._fields = fields = bodies.parse(body)
        bodies.refuse_ambiguous(fields)
        self.model = bodies.string(fields, "model")
        model = runtime.models.get(self.model)
        if model is None or f"model:{self.model}" not in snapshot.allowed(key):
            raise unknown_model(self.model)
        bodies.require(fields, *endpoint.content)
        if endpoint.streams:
            self.stream = bodies.flag(fields, "stream")
        self._injected = endpoint.inject(fields) if self.stream else {}
        self._estimate(model)

    def _estimate(self, model: Model) -> None:
        endpoint, fields = self._endpoint, self._fields
        rates = model.rates(endpoint.dialect)
        if rates is None:
            raise _other_dialect(model)
        asked = next((value for name in endpoint.maximum if (value := bodies.integer(fields, name)) is not None), None)
        output = 0
        if endpoint.has_output:
            output = model.max_output if asked is None else asked
            if (answers := bodies.integer(fields, "n")) is not None:
                output *= max(1, answers)
        size = len(self._body)
        most = size // BYTES_PER_TOKEN + 1
        if bodies.refers_elsewhere(self._body, fields):
            most += REFERRED_TOKENS
        if rates:
            self.reserve = max(rate.reserve(input_tokens=most, output_tokens=output) for rate in rates)
        self.tokens = size // 4 + (asked or 0)
        # What is made in the background is told to whoever fetches it, not to the call that ordered it: that one is
        # settled with the most it can be.
        in_background = endpoint.has_output and bodies.is_true(fields, "background")
        self.estimate = {"input": most, "output": output} if in_background else {"input": size // 4, "output": 0}
        self.expectation = self.model

    def legs(self) -> Iterator[Leg]:
        for deployment in with_fallbacks(self._runtime.models, self.model, self._endpoint.dialect):
            yield self._leg(deployment)

    def _leg(self, deployment: Deployment) -> Leg:
        owned = self._injected
        if deployment.model != self.model:
            owned = {**owned, "model": deployment.model}
        request, endpoint = self._request, self._endpoint
        headers = [(name, value.decode("latin-1")) for key, name in endpoint.forwarded if (value := request.headers.get(key)) is not None]
        for key, name, text in endpoint.defaults:
            if key not in request.headers:
                headers.append((name, text))
        if (idempotency := request.headers.get(IDEMPOTENCY)) is not None:
            headers.append((IDEMPOTENCY.decode(), _own(idempotency, self.key.principal.ref)))
        headers.append(("x-request-id", request.id))  # so that a call can be found in the provider's log as well
        query = request.query.decode("latin-1")
        return deployment.leg(endpoint.path, headers=headers, body=bodies.rewrite(self._body, self._fields, owned), query=query)

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        return self._endpoint.meter(bool(self._injected))

    def answer_headers(self, answer: Answer) -> Headers:
        headers = []
        for name, value in answer.headers():
            if name == "content-type" or name in _PASSED or (name.startswith(_PREFIXES) and name not in _OWN_ACCOUNT):
                headers.append((name.encode(), value.encode("latin-1")))
            elif name in ("x-request-id", "request-id"):
                headers.append((b"x-upstream-request-id", value.encode("latin-1")))
        if self._endpoint.dialect == "anthropic":
            headers.append((b"request-id", self._request.id.encode()))
        return headers

    def errored(self, answer: Answer, body: bytes) -> bytes:
        if answer.status in _ACCOUNT_REFUSED:
            raise UpstreamFailed("The provider does not accept the house's own account.", code="upstream_account_refused")
        return body

    def still_allowed(self, snapshot: Snapshot) -> bool:
        """A running call goes on through a republication as long as its model is served and granted."""
        if snapshot.llm is not self.snapshot.llm and not any(record.name == self.model for record in snapshot.llm.models):
            return False
        return f"model:{self.model}" in self.allowed(snapshot)


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
    text = f"The model {model.record.name!r} is served in the dialect {', '.join(spoken)}, not in this endpoint's."
    return BadRequest(text, param="model", code="dialect_not_served")
