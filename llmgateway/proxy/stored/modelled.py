"""Calls about stored conversations that name a model: what a compaction makes of one, how many tokens an input has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from dataplane.asgi import Headers
from dataplane.call import RETRYABLE, Call, Leg, Meter, Usage
from dataplane.errors import BadRequest, NotFound
from dataplane.store import Snapshot
from dataplane.upstream import Answer
from llmgateway.proxy import body as bodies
from llmgateway.proxy.providers import RESPONSES
from llmgateway.proxy.runtime import Deployment, Model
from llmgateway.proxy.stored.notices import of_response
from llmgateway.proxy.stored.owners import pinned, preferred, remember
from llmgateway.proxy.stored.references import reasoning_pins, references
from llmgateway.proxy.stored.relaying import FORWARDED, passed_headers, refused_account
from llmgateway.proxy.usage import ResponsesUsage, from_responses

if TYPE_CHECKING:
    from llmgateway.proxy.stored.visit import Visit

BYTES_PER_TOKEN = 3
"""For the most that a text can have: English has about four bytes to a token, Chinese about three."""

REFERRED_TOKENS = 128_000
"""Reserved for what a body only names: it may fill a context window."""


class _Answer(msgspec.Struct):
    usage: ResponsesUsage | None = None


_answers = msgspec.json.Decoder(_Answer)
_random = random.Random()  # noqa: S311 - load sharing, not a secret


class ModelledCall(Call):
    """Goes to the granted model's deployments that speak Responses, in the order given."""

    plane = "llm"
    __slots__ = ("_body", "_fields", "_path", "_places", "_visit", "free")

    def __init__(
        self, visit: Visit, path: str, *, body: bytes, fields: bodies.Fields, model: Model, places: list[Deployment], free: bool
    ) -> None:
        super().__init__(visit.key, visit.snapshot)
        self._visit = visit
        self._path = path
        self._body = body
        self._fields = fields
        self._places = places
        self.free = free
        self.model = self.expectation = model.record.name
        self.journaled = not free
        if free:
            self.reserve = 0
            return
        size = len(body)
        most = size // BYTES_PER_TOKEN + 1 + (REFERRED_TOKENS if bodies.refers_elsewhere(body, fields) else 0)
        rates = [place.rates for place in places if place.rates is not None]
        if rates:
            self.reserve = max(rate.reserve(input_tokens=most, output_tokens=model.max_output) for rate in rates)
        self.tokens = size // 4
        self.estimate = {"input": size // 4, "output": 0}

    def legs(self) -> Iterator[Leg]:
        request = self._visit.request
        headers = [(name, value) for name in FORWARDED if (value := request.header(name.encode())) is not None]
        headers.append(("x-request-id", request.id))
        query = request.query.decode("latin-1")
        for place in self._places:
            owned: dict[str, object] = {"model": place.model} if place.model != self.model else {}
            yield place.leg(self._path, headers=list(headers), body=bodies.rewrite(self._body, self._fields, owned), query=query)

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        place = next(place for place in self._places if place.provider == leg.provider)
        return _Modelled(self, place)

    def may_retry(self, status: int) -> bool:
        return status in RETRYABLE

    def made(self, place: Deployment, body: bytes) -> None:
        visit = self._visit
        remember(visit.kit, visit.key, of_response(body), provider=place.provider_id, provider_name=place.provider)

    def answer_headers(self, answer: Answer) -> Headers:
        return passed_headers(answer)

    def errored(self, answer: Answer, body: bytes) -> bytes:
        return refused_account(answer, body)

    def still_allowed(self, snapshot: Snapshot) -> bool:
        return f"model:{self.model}" in self.allowed(snapshot)


class _Modelled(Meter):
    __slots__ = ("_call", "_place", "_usage")

    def __init__(self, call: ModelledCall, place: Deployment) -> None:
        super().__init__()
        self._call = call
        self._place = place
        self._usage: Usage | None = None

    def whole(self, body: bytes) -> bytes:
        if not self._call.free:
            self._call.made(self._place, body)
            try:
                told = _answers.decode(body).usage
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                told = None
            self._usage = None if told is None else from_responses(told)
        return body

    def usage(self) -> Usage | None:
        return {} if self._call.free else self._usage


async def open_modelled(visit: Visit, path: str, *, free: bool) -> Call:
    """Raises BadRequest and NotFound."""
    body, fields = await visit.body()
    bodies.refuse_ambiguous(fields)
    name = bodies.string(fields, "model")
    model = visit.runtime.models.get(name)
    if model is None or f"model:{name}" not in visit.snapshot.allowed(visit.key):
        raise NotFound(f"The model {name!r} does not exist or you have no access to it.", param="model", code="model_not_found")
    ids = references(fields)
    provider = await pinned(visit.kit, visit.key, ids)
    places = _ordered(model)
    if not places:
        raise BadRequest(f"The model {name!r} is not served in the Responses dialect.", param="model", code="dialect_not_served")
    if provider is not None:
        places = [place for place in places if place.provider_id == provider]
        if not places:
            text = f"{ids[0][:200]!r} is stored at a provider that does not serve the model {name!r}."
            raise BadRequest(text, param="model", code="stored_elsewhere")
    elif (first := await preferred(visit.kit, visit.key, reasoning_pins(fields))) is not None:
        places.sort(key=lambda place: place.provider_id != first)
    return ModelledCall(visit, path, body=body, fields=fields, model=model, places=places, free=free)


def _ordered(model: Model) -> list[Deployment]:
    """By priority, and within one by chance in proportion to the weights; a weight of 0 comes last."""
    places = [place for place in model.deployments if RESPONSES in place.facts.wires]
    keyed = [
        (place.priority, -(_random.random() ** (1 / place.weight)) if place.weight > 0 else 1.0, number)
        for number, place in enumerate(places)
    ]
    return [places[number] for _, _, number in sorted(keyed)]
