"""Which ids an answer of the Responses API gives out: its own, its conversation's, its items' and containers', and what
its encrypted reasoning is known by. Read beside the answer, which is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import HouseError, UpstreamFailed
from dataplane.snapshot import KeyRecord
from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.runtime import Deployment
from llmgateway.proxy.stored.owners import remember
from llmgateway.proxy.stored.references import Fields, sealed_id

if TYPE_CHECKING:
    from dataplane.kit import Kit

Made = tuple[str, str]
"""An id and the kind of thing that it names."""

Take = Callable[[list[Made]], object]

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_TELLING = (b"response.created", b"response.queued", b"output_item.done", b"response.completed", b"response.incomplete")


class Named(msgspec.Struct):
    id: str | None = None


class Item(msgspec.Struct):
    id: str | None = None
    container_id: str | None = None
    encrypted_content: str | None = None


class Response(msgspec.Struct):
    id: str | None = None
    store: bool | None = None
    conversation: Named | None = None
    output: list[Item] = []


class Event(msgspec.Struct):
    response: Response | None = None
    item: Item | None = None


_responses = msgspec.json.Decoder(Response)
_events = msgspec.json.Decoder(Event)
_anything = msgspec.json.Decoder()


def of_response(body: bytes, *, stored: bool = True) -> list[Made]:
    """`stored` False: the call said that nothing is to be stored; then only what is made once and sent back is remembered."""
    try:
        return _of(_responses.decode(body), stored)
    except _UNREADABLE:
        return []


def of_event(data: bytes, *, stored: bool = True) -> list[Made]:
    """Of one event of a response's stream."""
    try:
        event = _events.decode(data)
    except _UNREADABLE:
        return []
    made = [] if event.response is None else _of(event.response, stored)
    return made if event.item is None else [*made, *_of_item(event.item, stored)]


def _of(response: Response, stored: bool) -> list[Made]:
    stored = stored and response.store is not False
    made: list[Made] = []
    if stored and response.id:
        made.append((response.id, "response"))
    if response.conversation is not None and response.conversation.id:
        made.append((response.conversation.id, "conversation"))
    for item in response.output:
        made += _of_item(item, stored)
    return made


def _of_item(item: Item, stored: bool) -> list[Made]:
    made: list[Made] = []
    if stored and item.id:
        made.append((item.id, "item"))
    if item.container_id:
        made.append((item.container_id, "container"))
    if item.encrypted_content:
        made.append((sealed_id(item.encrypted_content), "sealed"))
    return made


def of_object(kind: str) -> Callable[[bytes], list[Made]]:
    """Of an answer that is one object with an id."""

    def read(body: bytes) -> list[Made]:
        found = decoded(body).get("id")
        return [(found, kind)] if isinstance(found, str) else []

    return read


def of_items(body: bytes) -> list[Made]:
    """Of an answer that is a list of items, or one item."""
    told = decoded(body)
    items = told.get("data")
    each = items if isinstance(items, list) else [told]
    ids = [item.get("id") for item in each if isinstance(item, dict)]
    return [(ident, "item") for ident in ids if isinstance(ident, str)]


def decoded(body: bytes) -> dict[str, Any]:
    """The object that an answer is; {} for anything else."""
    try:
        told = _anything.decode(body)
    except _UNREADABLE:
        return {}
    return told if isinstance(told, dict) else {}


class Noticing(Meter):
    """A meter that reads what another one reads, and tells `take` which ids the answer gives out. The answer must be in the
    provider's own Responses dialect; what `inner` makes of it for the caller does not matter."""

    __slots__ = ("_inner", "_splitter", "_stored", "_take", "beat")

    def __init__(self, inner: Meter, take: Take, *, stored: bool = True) -> None:
        super().__init__()
        self._inner = inner
        self.beat = inner.beat
        self._take = take
        self._stored = stored
        self._splitter: Splitter | None = Splitter()

    def whole(self, body: bytes) -> bytes:
        out = self._inner.whole(body)
        self._tell(of_response(body, stored=self._stored))
        return self._as_inner(out)

    def feed(self, data: bytes) -> bytes:
        out = self._inner.feed(data)
        if self._splitter is not None:
            try:
                self._look(self._splitter.feed(data))
            except UpstreamFailed:
                self._splitter = None  # an event beyond all bounds: the inner meter has its own opinion of it
        return self._as_inner(out)

    def finish(self) -> bytes:
        if self._splitter is not None:
            self._look(self._splitter.rest)
        return self._as_inner(self._inner.finish())

    def usage(self) -> Usage | None:
        return self._inner.usage()

    def partial(self) -> Usage:
        return self._inner.partial()

    def broken(self, error: HouseError, request_id: str) -> bytes:
        return self._inner.broken(error, request_id)

    def _look(self, block: bytes) -> None:
        if not any(mark in block for mark in _TELLING):
            return
        for part in events(block):
            if any(mark in part for mark in _TELLING) and (data := data_of(part)) is not None:
                self._tell(of_event(data, stored=self._stored))

    def _tell(self, made: Iterable[Made]) -> None:
        if found := list(made):
            self._take(found)

    def _as_inner(self, out: bytes) -> bytes:
        self.failed, self.complete = self._inner.failed, self._inner.complete
        return out


def noticing(kit: Kit, key: KeyRecord, place: Deployment, inner: Meter, fields: Fields) -> Noticing:
    """For a call of the Responses API that is served by `place` in its own dialect: what its answer gives out becomes the
    caller's, in a stream with its first event. `fields` are those of the call's body: with `store` false nothing is stored, and
    only containers and encrypted reasoning are remembered."""

    def take(made: list[Made]) -> None:
        remember(kit, key, made, provider=place.provider_id, provider_name=place.provider)

    store = fields.get("store")
    return Noticing(inner, take, stored=store is None or bytes(memoryview(store)) != b"false")
