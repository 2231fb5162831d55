"""One request about something stored: who asks, and what its address means."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dataplane.asgi import MAX_BODY, Headers, Request
from dataplane.call import Call
from dataplane.errors import HouseError, MethodNotAllowed, NotFound
from dataplane.kit import Handler, Routes
from dataplane.pipeline import serve
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from llmgateway.proxy import body as bodies
from llmgateway.proxy.dialects.errors import openai
from llmgateway.proxy.runtime import Runtime
from llmgateway.proxy.stored import accounts
from llmgateway.proxy.stored.accounts import Account
from llmgateway.proxy.stored.owners import own, pinned
from llmgateway.proxy.stored.references import references

if TYPE_CHECKING:
    from dataplane.kit import Kit

_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")

Refuse = Callable[[Request, HouseError], tuple[int, Headers, bytes]]


class Visit(NamedTuple):
    """`ids` are those of the address, in order."""

    kit: Kit
    request: Request
    key: KeyRecord
    snapshot: Snapshot
    runtime: Runtime
    ids: tuple[str, ...]

    async def own_account(self, kind: str) -> Account:
        """The account that stores the first id of the address. Raises NotFound."""
        pin = await own(self.kit, self.key, self.ids[0], kind=kind)
        return accounts.account_at(self.runtime, self.snapshot.allowed(self.key), pin.provider, self.ids[0])

    async def new_account(self, what: str, fields: bodies.Fields) -> Account:
        """Where something new goes: to what its body refers to, else where `accounts.account_for` says."""
        ids = references(fields)
        provider = await pinned(self.kit, self.key, ids)
        if provider is not None:
            return accounts.account_at(self.runtime, self.snapshot.allowed(self.key), provider, ids[0])
        return accounts.account_for(self.runtime, self.request, self.key, self.snapshot, what=what)

    async def body(self, *, limit: int = MAX_BODY) -> tuple[bytes, bodies.Fields]:
        """The JSON object that was sent, with each member once, its value as it came; b"" and no members where nothing was. Raises
        BadRequest and PayloadTooLarge."""
        body = await self.request.body(limit=limit)
        if not body:
            return b"", {}
        fields = bodies.parse(body)
        return msgspec.json.encode(fields), fields


Action = Callable[[Visit], Awaitable[Call | None]]


class Address(NamedTuple):
    """`template` is a path with `{}` where an id stands."""

    method: str
    template: str
    action: Action


class StoredGateway:
    """All addresses below one root, in one dialect."""

    plane = "llm"

    def __init__(self, addresses: Sequence[Address], *, dialect: Refuse = openai) -> None:
        self.refuse = dialect
        self._addresses = [(address, tuple(address.template.split("/"))) for address in addresses]

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        action, ids = self._match(request.method, request.path)
        return await action(Visit(kit, request, key, snapshot, accounts.runtime_of(kit, snapshot), ids))

    def _match(self, method: str, path: str) -> tuple[Action, tuple[str, ...]]:
        """Raises NotFound and MethodNotAllowed."""
        parts = tuple(path.split("/"))
        methods = []
        for address, pattern in self._addresses:
            if len(pattern) != len(parts):
                continue
            pairs = list(zip(pattern, parts, strict=True))
            if all(part == given or (part == "{}" and _is_id(given)) for part, given in pairs):
                if address.method == method:
                    return address.action, tuple(given for part, given in pairs if part == "{}")
                methods.append(address.method)
        if methods:
            allow = ", ".join(sorted(methods))
            raise MethodNotAllowed(f"This address takes {allow}.", headers=(("allow", allow),))
        raise NotFound("Nothing answers at this address.")


def _is_id(text: str) -> bool:
    """A part of dots alone would lead elsewhere."""
    return _ID.fullmatch(text) is not None and text.strip(".") != ""


def handler(gateway: StoredGateway) -> Handler:
    def handle(kit: Kit, request: Request) -> Awaitable[None]:
        return serve(kit, gateway, request)

    return handle


def below(root: str, gateway: StoredGateway, *, exact: bool = True) -> Routes:
    """The root itself (unless somebody else answers there) and all that is below it."""
    handle = handler(gateway)
    return Routes(exact={root: handle} if exact else {}, prefixes=((root + "/", handle),))


def joined(*routes: Routes) -> Routes:
    exact = {path: handle for part in routes for path, handle in part.exact.items()}
    return Routes(exact=exact, prefixes=tuple(pair for part in routes for pair in part.prefixes))
