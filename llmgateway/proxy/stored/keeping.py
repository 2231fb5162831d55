"""Conversations and vector stores: things that a caller makes, fills, reads and deletes at one account."""

from __future__ import annotations

from dataplane.call import Call
from dataplane.errors import BadRequest
from llmgateway.proxy.stored import accounts
from llmgateway.proxy.stored.listing import Listing
from llmgateway.proxy.stored.notices import of_items, of_object
from llmgateway.proxy.stored.owners import pinned
from llmgateway.proxy.stored.references import references
from llmgateway.proxy.stored.relaying import Read, StoredCall, leg_to
from llmgateway.proxy.stored.visit import Action, Address, StoredGateway, Visit, below, joined

CONVERSATION, VECTOR_STORE = "conversation", "vector_store"


def made_new(path: str, what: str, read: Read) -> Action:
    async def act(visit: Visit) -> Call:
        body, fields = await visit.body()
        account = await visit.new_account(what, fields)
        leg = leg_to(account, visit.request, path, body=body)
        return StoredCall(visit.kit, visit.request, visit.key, visit.snapshot, account=account, leg=leg).makes(read)

    return act


async def about(visit: Visit, path: str, kind: str) -> StoredCall:
    """About one that there is: its id is the first of the address. What the body refers to must be stored beside it."""
    account = await visit.own_account(kind)
    body = b""
    if visit.request.method == "POST":
        body, fields = await visit.body()
        provider = await pinned(visit.kit, visit.key, ids := references(fields))
        if provider is not None and provider != account.provider:
            raise BadRequest(f"{ids[0][:200]!r} is stored at another provider than {visit.ids[0]!r}.", code="stored_elsewhere")
    leg = leg_to(account, visit.request, path.format(*visit.ids), body=body)
    return StoredCall(visit.kit, visit.request, visit.key, visit.snapshot, account=account, leg=leg)


def told(path: str, kind: str, *, read: Read | None = None) -> Action:
    async def act(visit: Visit) -> Call:
        call = await about(visit, path, kind)
        return call if read is None else call.makes(read)

    return act


def deleted(path: str, kind: str) -> Action:
    async def act(visit: Visit) -> Call:
        return (await about(visit, path, kind)).then(lambda body: visit.kit.pins.forget(visit.ids[0]))

    return act


async def searched(visit: Visit) -> Call:
    """Providers take money for a search by the call, at prices that no list of models has: it is counted, its cost unknown."""
    call = (await about(visit, "/vector_stores/{}/search", VECTOR_STORE)).counts({"requests": 1})
    call.tool = "vector_stores.search"
    return call


_C, _ONE, _ITEMS = "/v1/conversations", "/conversations/{}", "/conversations/{}/items"
CONVERSATIONS = (
    Address("POST", _C, made_new("/conversations", accounts.CONVERSATIONS, of_object(CONVERSATION))),
    Address("GET", f"{_C}/{{}}", told(_ONE, CONVERSATION)),
    Address("POST", f"{_C}/{{}}", told(_ONE, CONVERSATION)),
    Address("DELETE", f"{_C}/{{}}", deleted(_ONE, CONVERSATION)),
    Address("POST", f"{_C}/{{}}/items", told(_ITEMS, CONVERSATION, read=of_items)),
    Address("GET", f"{_C}/{{}}/items", told(_ITEMS, CONVERSATION, read=of_items)),
    Address("GET", f"{_C}/{{}}/items/{{}}", told(f"{_ITEMS}/{{}}", CONVERSATION, read=of_items)),
    Address("DELETE", f"{_C}/{{}}/items/{{}}", told(f"{_ITEMS}/{{}}", CONVERSATION)),
)

_V, _STORE = "/v1/vector_stores", "/vector_stores/{}"
_FILES, _BATCHES = f"{_STORE}/files", f"{_STORE}/file_batches"
_stores = Listing(accounts.VECTOR_STORES, VECTOR_STORE, "/vector_stores", usual=20, most=100)
VECTOR_STORES = (
    Address("POST", _V, made_new("/vector_stores", accounts.VECTOR_STORES, of_object(VECTOR_STORE))),
    Address("GET", _V, _stores),
    Address("GET", f"{_V}/{{}}", told(_STORE, VECTOR_STORE)),
    Address("POST", f"{_V}/{{}}", told(_STORE, VECTOR_STORE)),
    Address("DELETE", f"{_V}/{{}}", deleted(_STORE, VECTOR_STORE)),
    Address("POST", f"{_V}/{{}}/search", searched),
    Address("POST", f"{_V}/{{}}/files", told(_FILES, VECTOR_STORE)),
    Address("GET", f"{_V}/{{}}/files", told(_FILES, VECTOR_STORE)),
    Address("GET", f"{_V}/{{}}/files/{{}}", told(f"{_FILES}/{{}}", VECTOR_STORE)),
    Address("POST", f"{_V}/{{}}/files/{{}}", told(f"{_FILES}/{{}}", VECTOR_STORE)),
    Address("DELETE", f"{_V}/{{}}/files/{{}}", told(f"{_FILES}/{{}}", VECTOR_STORE)),
    Address("GET", f"{_V}/{{}}/files/{{}}/content", told(f"{_FILES}/{{}}/content", VECTOR_STORE)),
    Address("POST", f"{_V}/{{}}/file_batches", told(_BATCHES, VECTOR_STORE)),
    Address("GET", f"{_V}/{{}}/file_batches/{{}}", told(f"{_BATCHES}/{{}}", VECTOR_STORE)),
    Address("POST", f"{_V}/{{}}/file_batches/{{}}/cancel", told(f"{_BATCHES}/{{}}/cancel", VECTOR_STORE)),
    Address("GET", f"{_V}/{{}}/file_batches/{{}}/files", told(f"{_BATCHES}/{{}}/files", VECTOR_STORE)),
)

ROUTES = joined(below(_C, StoredGateway(CONVERSATIONS)), below(_V, StoredGateway(VECTOR_STORES)))
