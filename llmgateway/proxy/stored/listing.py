"""A list of one's own. A provider lists what the whole house has stored there, so its pages are read here and only what is
the caller's is passed on, each item as the provider wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from dataplane.asgi import JSON_TYPE, respond
from dataplane.call import Call
from dataplane.errors import BadRequest, UpstreamFailed
from dataplane.pins import Pin
from dataplane.pipeline import admit
from llmgateway.proxy.stored.accounts import Account, reached
from llmgateway.proxy.stored.asking import ask
from llmgateway.proxy.stored.owners import own, owner_of
from llmgateway.proxy.stored.relaying import leg_to
from llmgateway.proxy.stored.visit import Visit

Seen = Callable[[Visit, str, Pin, msgspec.Raw], object]

Rewrite = Callable[[bytes], bytes]

MOST_PAGES = 200
"""Read for one answer. What lies behind them is behind the answer's `last_id`."""


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] = []
    has_more: bool = False


class _Item(msgspec.Struct):
    id: str


_pages = msgspec.json.Decoder(_Page)
_items = msgspec.json.Decoder(_Item)


class Listing:
    """`most` is the largest page the provider gives, `usual` the page of a caller who names no limit. `seen` is told of each
    item that is passed on, `rewrite` makes of the whole answer what the caller gets."""

    def __init__(
        self,
        what: str,
        kind: str,
        path: str,
        *,
        usual: int,
        most: int,
        after: str = "after",
        seen: Seen | None = None,
        rewrite: Rewrite = bytes,
    ) -> None:
        self._seen = seen
        self._rewrite = rewrite
        self._what, self._kind, self._path = what, kind, path
        self._usual, self._most, self._after = usual, most, after

    async def __call__(self, visit: Visit) -> Call | None:
        asked = dict(parse_qsl(visit.request.query.decode("latin-1"), keep_blank_values=True))
        limit = self._limit(asked.pop("limit", ""))
        if asked.pop("before", None) or asked.pop("before_id", None):
            raise BadRequest(
                f"The house lists what is yours forwards only: page with {self._after}.", param="before", code="unsupported_parameter"
            )
        accounts = sorted(reached(visit.runtime, visit.snapshot.allowed(visit.key), what=self._what).items())
        after = asked.pop(self._after, "")
        if after:
            pin = await own(visit.kit, visit.key, after, kind=self._kind)
            accounts = [(provider, account) for provider, account in accounts if provider >= pin.provider]
        admission = await admit(visit.kit, FreeCall(visit.key, visit.snapshot))
        try:
            found, more = await self._read(visit, [account for _, account in accounts], asked, after, limit)
        finally:
            admission.settle(None, 0)
        await self._answer(visit, found, more)
        return None

    def _limit(self, text: str) -> int:
        if not text:
            return self._usual
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= self._most:
            raise BadRequest(f"The limit must be a number from 1 to {self._most}.", param="limit", code="invalid_value")
        return int(text)

    async def _read(
        self, visit: Visit, accounts: list[Account], asked: dict[str, str], after: str, limit: int
    ) -> tuple[list[tuple[str, msgspec.Raw]], bool]:
        found: list[tuple[str, msgspec.Raw]] = []
        pages = 0
        for account in accounts:
            more = True
            while more and pages < MOST_PAGES:
                pages += 1
                page = await self._page(visit, account, asked, after)
                ids = [_items.decode(item).id for item in page.data]
                mine = await self._mine(visit, account, ids)
                for ident, item in zip(ids, page.data, strict=True):
                    if ident in mine:
                        if len(found) == limit:
                            return found, True
                        found.append((ident, item))
                        if self._seen is not None:
                            self._seen(visit, ident, mine[ident], item)
                more = page.has_more and bool(ids)
                after = ids[-1] if more else ""
        return found, pages >= MOST_PAGES and bool(found)

    async def _page(self, visit: Visit, account: Account, asked: dict[str, str], after: str) -> _Page:
        query = urlencode({**asked, "limit": str(self._most), **({self._after: after} if after else {})})
        told = await ask(leg_to(account, visit.request, self._path, method="GET", query=query))
        if told.status >= 400:
            raise UpstreamFailed(
                f"The provider {account.place.provider} does not list: it answered {told.status}.", status=_status(told.status)
            )
        try:
            return _pages.decode(told.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamFailed("The provider's list is not one that the house can read.") from error

    async def _mine(self, visit: Visit, account: Account, ids: list[str]) -> dict[str, Pin]:
        owner = owner_of(visit.key)
        pins = await visit.kit.pins.find_all(ids) if ids else []
        pairs = zip(ids, pins, strict=True)
        return {
            ident: pin
            for ident, pin in pairs
            if pin is not None and (pin.owner, pin.provider, pin.kind) == (owner, account.provider, self._kind)
        }

    async def _answer(self, visit: Visit, found: list[tuple[str, msgspec.Raw]], more: bool) -> None:
        first, last = (found[0][0], found[-1][0]) if found else (None, None)
        shape: dict[str, Any] = {"object": "list"} if self._after == "after" else {}
        body = msgspec.json.encode({**shape, "data": [item for _, item in found], "first_id": first, "last_id": last, "has_more": more})
        request = visit.request
        await respond(request.send, 200, [JSON_TYPE, (b"x-request-id", request.id.encode())], self._rewrite(body))


def _status(status: int) -> int:
    """A provider that refuses the query is the caller's affair, one that fails the house's."""
    return status if status in (400, 422, 429) else 502


class FreeCall(Call):
    """Counts as a call, costs nothing."""

    plane = "llm"

    def __init__(self, key: Any, snapshot: Any) -> None:
        super().__init__(key, snapshot)
        self.journaled = False
        self.reserve = 0
