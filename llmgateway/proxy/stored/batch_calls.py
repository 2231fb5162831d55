"""The calls of a batch: each may be made only if its caller could make it alone. What they refer to and what they can cost
is gathered on the way."""

from __future__ import annotations

from typing import NamedTuple

from dataplane.errors import BadRequest, HouseError
from llmgateway.proxy import body as bodies
from llmgateway.proxy.runtime import Deployment, Model, Runtime
from llmgateway.proxy.stored.accounts import Account
from llmgateway.proxy.stored.notes import Checked, Priced
from llmgateway.proxy.stored.owners import pinned
from llmgateway.proxy.stored.references import references
from llmgateway.proxy.stored.visit import Visit

MOST_CALLS = 100_000
MOST_REFERENCES = 10_000
BYTES_PER_TOKEN = 3
"""For the most that a text can have: English has about four bytes to a token, Chinese about three."""

REFERRED_TOKENS = 128_000
_MAXIMA = ("max_output_tokens", "max_completion_tokens", "max_tokens")


class Kind(NamedTuple):
    """`wire` is the dialect that a deployment has to speak, "": any of its provider's. `has_output`: it makes tokens."""

    url: str
    wire: str
    has_output: bool = True


class BatchCalls:
    """`word` is what one of them is called to the caller, who counts them from 1."""

    word = "Line"

    def __init__(self, runtime: Runtime, allowed: frozenset[str], account: Account) -> None:
        self._runtime, self._allowed, self._provider = runtime, allowed, account.provider
        self._places: dict[tuple[str, str], tuple[Model, Deployment]] = {}
        self._models: dict[str, Priced] = {}
        self._url = ""
        self._reserve: int | None = 0
        self.count = 0
        self._references: dict[str, int] = {}

    @property
    def checked(self) -> Checked:
        return Checked(self._url, self.count, self._reserve, self._models)

    def call(self, number: int, body: bytes, kind: Kind) -> bytes:
        """One call with the provider's own name of its model. It is written anew, so that nothing is in it twice. Raises
        HouseError."""
        self.count += 1
        if self.count > MOST_CALLS:
            raise BadRequest(f"A batch may have {MOST_CALLS} calls.", code="batch_too_long")
        if self._url not in ("", kind.url):
            raise BadRequest("The calls of a batch must all be of one address.", param="url", code="invalid_value")
        self._url = kind.url
        fields = bodies.parse(body)
        bodies.refuse_ambiguous(fields)
        model, place = self._place(bodies.string(fields, "model"), kind)
        for ident in references(fields):
            self._references.setdefault(ident, number)
        if len(self._references) > MOST_REFERENCES:
            raise BadRequest(f"A batch may refer to {MOST_REFERENCES} stored things.", code="batch_too_long")
        self._count_cost(body, fields, model=model, place=place, kind=kind)
        return bodies.rewrite(body, fields, {"model": place.model})

    async def refer(self, visit: Visit) -> None:
        """All that they refer to is the caller's and at the same account. Raises NotFound and BadRequest."""
        for ident, number in self._references.items():
            try:
                provider = await pinned(visit.kit, visit.key, [ident])
            except HouseError as error:
                raise self.named(number, error) from None
            if provider != self._provider:
                text = f"{self.word} {number}: {ident[:200]!r} is stored at another provider."
                raise BadRequest(text, code="stored_elsewhere")

    def named(self, number: int, error: HouseError) -> HouseError:
        """The same refusal, saying of which call."""
        return HouseError(f"{self.word} {number}: {error.message}", param=error.param, code=error.code, status=error.status)

    def _place(self, alias: str, kind: Kind) -> tuple[Model, Deployment]:
        found = self._places.get((alias, kind.url))
        if found is not None:
            return found
        model = self._runtime.models.get(alias)
        if model is None or f"model:{alias}" not in self._allowed:
            text = f"The model {alias[:200]!r} does not exist or you have no access to it."
            raise BadRequest(text, param="model", code="model_not_found")
        for tier in model.tiers:
            for place in tier:
                if place.provider_id == self._provider and (not kind.wire or kind.wire in place.facts.wires):
                    self._take(alias, model, place)
                    self._places[alias, kind.url] = model, place
                    return model, place
        text = f"The model {alias!r} does not answer {kind.url} at the provider of this batch."
        raise BadRequest(text, param="model", code="not_stored_there")

    def _take(self, alias: str, model: Model, place: Deployment) -> None:
        """An answer names only the provider's model, so each of those may go by one name in a batch."""
        price = next((record.price for record in model.record.deployments if record.id == place.id), None)
        taken = self._models.setdefault(place.model, Priced(alias, price))
        if taken.alias != alias:
            text = f"{alias!r} and {taken.alias!r} are one model at this provider: use one name for it in a batch."
            raise BadRequest(text, param="model", code="ambiguous_model")

    def _count_cost(self, body: bytes, fields: bodies.Fields, *, model: Model, place: Deployment, kind: Kind) -> None:
        output = 0
        if kind.has_output:
            asked = next((value for name in _MAXIMA if (value := bodies.integer(fields, name)) is not None), None)
            output = (model.max_output if asked is None else asked) * max(1, bodies.integer(fields, "n") or 1)
        if self._reserve is None or place.rates is None:
            self._reserve = None
            return
        most = len(body) // BYTES_PER_TOKEN + 1
        if bodies.refers_elsewhere(body, fields):
            most += REFERRED_TOKENS
        self._reserve += place.rates.reserve(input_tokens=most, output_tokens=output)
