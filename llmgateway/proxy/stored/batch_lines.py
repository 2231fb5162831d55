"""The lines of a batch: each is a call, and may be made only if its caller could make it alone."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

import msgspec

from dataplane.errors import BadRequest, HouseError
from llmgateway.proxy import body as bodies
from llmgateway.proxy.providers import CHAT, RESPONSES
from llmgateway.proxy.runtime import Deployment, Model, Runtime
from llmgateway.proxy.stored.accounts import Account
from llmgateway.proxy.stored.notes import Checked, Priced
from llmgateway.proxy.stored.references import references

MOST_LINES = 100_000
LONGEST_LINE = 32 * 1024 * 1024
MOST_REFERENCES = 10_000
BYTES_PER_TOKEN = 3
"""For the most that a text can have: English has about four bytes to a token, Chinese about three."""

REFERRED_TOKENS = 128_000

URLS: dict[str, str] = {"/v1/chat/completions": CHAT, "/v1/responses": RESPONSES, "/v1/embeddings": "", "/v1/completions": ""}
"""What a batch may call, since the house can meter it, and the wire dialect that a deployment has to speak for it ("": any
of OpenAI's)."""

_MEMBERS = frozenset({"custom_id", "method", "url", "body"})
_MAXIMA = ("max_output_tokens", "max_completion_tokens", "max_tokens")
_encode = msgspec.json.Encoder().encode


class LineRefused(BadRequest):
    """Names the line, counted from 1. A model that is not granted is refused as one that does not exist."""


class Lines:
    """Checks and rewrites the lines of one file for one account. After the last line, `checked` says what they come to and
    `references` what they refer to."""

    def __init__(self, runtime: Runtime, allowed: frozenset[str], account: Account) -> None:
        self._runtime, self._allowed, self._provider = runtime, allowed, account.provider
        self._places: dict[tuple[str, str], tuple[Model, Deployment]] = {}
        self._models: dict[str, Priced] = {}
        self._urls: set[str] = set()
        self._reserve: int | None = 0
        self._count = 0
        self.references: dict[str, int] = {}
        """What the lines refer to, and the first line that does."""

    def rewritten(self, data: mmap, start: int, end: int) -> Iterator[bytes]:
        """The lines between two offsets as they go to the provider. Raises LineRefused."""
        number = 0
        while start < end:
            stop = data.find(b"\n", start, end)
            stop = end if stop < 0 else stop
            number += 1
            if stop - start > LONGEST_LINE:
                raise LineRefused(f"Line {number} is longer than {LONGEST_LINE} bytes.", code="batch_line_refused")
            if line := data[start:stop].strip():
                try:
                    yield self.line(number, line) + b"\n"
                except HouseError as error:
                    raise LineRefused(f"Line {number}: {error.message}", param=error.param, code=error.code) from None
            start = stop + 1
        if not self._count:
            raise BadRequest("The file of a batch must have a line.", param="file", code="empty_file")

    @property
    def checked(self) -> Checked:
        return Checked(next(iter(self._urls)), self._count, self._reserve, self._models)

    def line(self, number: int, line: bytes) -> bytes:
        """One call, with the provider's own name of its model. Raises HouseError."""
        self._count += 1
        if self._count > MOST_LINES:
            raise BadRequest(f"A batch may have {MOST_LINES} lines.", code="batch_too_long")
        outer = bodies.parse(line)
        for name in outer:
            if name.casefold() in _MEMBERS and name not in _MEMBERS:
                raise BadRequest(f"The field {name[:64]!r} is ambiguous.", param=name[:64], code="ambiguous_field")
        url = bodies.string(outer, "url")
        if url not in URLS or bodies.string(outer, "method") != "POST":
            raise BadRequest(f"A batch may POST to {', '.join(URLS)}, not to {url[:100]!r}.", param="url", code="unsupported_url")
        self._urls.add(url)
        if len(self._urls) > 1:
            raise BadRequest("The lines of a batch must all call one address.", param="url", code="invalid_value")
        raw = bytes(memoryview(outer.get("body") or msgspec.Raw(b"null")))
        fields = bodies.parse(raw)
        bodies.refuse_ambiguous(fields)
        model, place = self._place(bodies.string(fields, "model"), url)
        self._refer(number, fields)
        self._count_cost(raw, fields, model=model, place=place, url=url)
        body = bodies.rewrite(raw, fields, {"model": place.model})
        return _encode({**outer, "body": msgspec.Raw(body)})

    def _place(self, alias: str, url: str) -> tuple[Model, Deployment]:
        found = self._places.get((alias, url))
        if found is not None:
            return found
        model = self._runtime.models.get(alias)
        if model is None or f"model:{alias}" not in self._allowed:
            raise BadRequest(
                f"The model {alias[:200]!r} does not exist or you have no access to it.", param="model", code="model_not_found"
            )
        wire = URLS[url]
        for tier in model.tiers:
            for place in tier:
                if place.provider_id == self._provider and (not wire or wire in place.facts.wires):
                    self._places[alias, url] = model, place
                    self._take(alias, model, place)
                    return model, place
        raise BadRequest(f"The model {alias!r} does not answer {url} at the provider of this file.", param="model", code="not_stored_there")

    def _take(self, alias: str, model: Model, place: Deployment) -> None:
        """An answer names only the provider's model, so each of those may go by one name in a batch."""
        price = next((record.price for record in model.record.deployments if record.id == place.id), None)
        taken = self._models.setdefault(place.model, Priced(alias, price))
        if taken.alias != alias:
            text = f"{alias!r} and {taken.alias!r} are one model at this provider: use one name for it in a batch."
            raise BadRequest(text, param="model", code="ambiguous_model")

    def _refer(self, number: int, fields: bodies.Fields) -> None:
        for ident in references(fields):
            self.references.setdefault(ident, number)
        if len(self.references) > MOST_REFERENCES:
            raise BadRequest(f"A batch may refer to {MOST_REFERENCES} stored things.", code="batch_too_long")

    def _count_cost(self, raw: bytes, fields: bodies.Fields, *, model: Model, place: Deployment, url: str) -> None:
        if self._reserve is None or place.rates is None:
            self._reserve = None
            return
        most = len(raw) // BYTES_PER_TOKEN + 1
        if bodies.refers_elsewhere(raw, fields):
            most += REFERRED_TOKENS
        output = 0
        if url != "/v1/embeddings":
            asked = next((value for name in _MAXIMA if (value := bodies.integer(fields, name)) is not None), None)
            output = (model.max_output if asked is None else asked) * max(1, bodies.integer(fields, "n") or 1)
        self._reserve += place.rates.reserve(input_tokens=most, output_tokens=output)
