"""The agent gateway's addresses: an agent's JSON-RPC endpoint (with and without a slash at its end) and its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentgateway.proxy.call import AgentCall
from agentgateway.proxy.index import AgentIndex
from agentgateway.proxy.operations import OPERATIONS, subject_of
from agentgateway.proxy.ownership import Ownership
from agentgateway.proxy.push import screen
from agentgateway.proxy.refusals import RPC_ID, no_such_agent, refuse, task_not_found, unknown_method
from dataplane.asgi import JSON_TYPE, Headers, Request, respond
from dataplane.call import Call
from dataplane.errors import HouseError, MethodNotAllowed
from dataplane.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Message, RpcError, parse
from dataplane.kit import Routes
from dataplane.pipeline import serve
from dataplane.snapshot import AgentRecord, KeyRecord
from dataplane.store import Snapshot

if TYPE_CHECKING:
    from dataplane.kit import Kit

PREFIX = "/a2a/"
CARD_PATH = ".well-known/agent-card.json"
CARD_SECONDS = 60
"""How long a card may be kept without asking: a review that changes it is seen within this."""


class AgentGateway:
    """Every agent of the house. `public_url` is the house's own address, without a slash at its end."""

    plane = "a2a"

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._ownership = Ownership()

    async def handle(self, kit: Kit, request: Request) -> None:
        await serve(kit, self, request)

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        slug, _, rest = request.path[len(PREFIX) :].partition("/")
        record = snapshot.agents.get(slug)
        if record is None or f"agent:{slug}" not in snapshot.allowed(key) or rest not in ("", CARD_PATH):
            raise no_such_agent()
        index = snapshot.view(record, self._index)
        if rest:
            await _card(request, index)
            return None
        if request.method != "POST":
            raise MethodNotAllowed("This address takes POST.", headers=(("allow", "POST"),))
        message = _one_request(await request.body())
        request.scope[RPC_ID] = message.id
        self._authorize(message, index.record, key)
        return AgentCall(kit, request, key, snapshot, index=index, message=message, ownership=self._ownership)

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return refuse(request, error)

    def _index(self, section: object) -> AgentIndex:
        return AgentIndex(cast(AgentRecord, section), self._public_url)

    def _authorize(self, message: Message, record: AgentRecord, key: KeyRecord) -> None:
        """Raises RpcError for an operation that A2A has not, and for one on what is another caller's."""
        if message.method not in OPERATIONS:
            raise unknown_method(message.method, rpc_id=message.id)
        caller, ownership = key.principal.ref, self._ownership
        subject = subject_of(message)
        if any(ownership.is_foreign_task(record.slug, task, caller) for task in subject.tasks):
            raise task_not_found(message.id)
        if subject.context is not None and ownership.is_foreign_context(record.slug, subject.context, caller):
            raise RpcError(INVALID_PARAMS, "contextId is unknown", rpc_id=message.id, code="context_not_found")
        screen(message, allow_private=record.allow_private_network)


def _one_request(body: bytes) -> Message:
    message = parse(body)
    if not message.method or message.id is None:
        raise RpcError(INVALID_REQUEST, "the body must be a request with a method and an id", rpc_id=message.id)
    return message


async def _card(request: Request, index: AgentIndex) -> None:
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("This address takes GET.", headers=(("allow", "GET, HEAD"),))
    headers = [
        (b"etag", index.etag.encode()),
        (b"last-modified", index.modified.encode()),
        (b"cache-control", b"private, max-age=%d" % CARD_SECONDS),
        (b"vary", b"authorization, x-api-key"),
        (b"x-request-id", request.id.encode()),
    ]
    known = request.header(b"if-none-match")
    if known is not None and (known.strip() == "*" or index.etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]):
        await request.send({"type": "http.response.start", "status": 304, "headers": headers})
        await request.send({"type": "http.response.body", "body": b""})
        return
    await respond(request.send, 200, [JSON_TYPE, *headers], index.card if request.method == "GET" else b"")


def routes(*, public_url: str) -> Routes:
    """`public_url` is the address that callers reach the house at: it goes into the cards."""
    return Routes(exact={}, prefixes=((PREFIX, AgentGateway(public_url).handle),))
