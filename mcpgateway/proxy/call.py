"""One MCP message, or one stream of a session, on its way to one server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataplane.asgi import Headers
from dataplane.call import Call, Leg, Meter
from dataplane.errors import UpstreamFailed
from dataplane.jsonrpc import Message
from dataplane.money import FREE
from dataplane.snapshot import KeyRecord, ServerRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer
from mcpgateway.proxy.eras import ASSUMED_VERSION, MODERN
from mcpgateway.proxy.eras import Headers as McpHeaders
from mcpgateway.proxy.failures import failure_of
from mcpgateway.proxy.index import Access, ServerIndex, Tool, server_index
from mcpgateway.proxy.meter import McpMeter, Rewrite
from mcpgateway.proxy.methods import METERED, STREAMS
from mcpgateway.proxy.narrowing import narrowed, without_tasks
from mcpgateway.proxy.sessions import Session, Sessions

if TYPE_CHECKING:
    from dataplane.kit import Kit

BOTH = "application/json, text/event-stream"


class Inbound:
    """What came in: who sent what, by which era's rules. `message` is None for GET and DELETE; `name` is the tool, prompt
    or resource that it names; `slug` is the address it came to, a server's or a toolset's."""

    __slots__ = ("headers", "key", "kit", "message", "method", "modern", "name", "sessions", "slug", "snapshot")

    def __init__(
        self, kit: Kit, key: KeyRecord, snapshot: Snapshot, *, slug: str, method: str, headers: McpHeaders, sessions: Sessions
    ) -> None:
        self.kit = kit
        self.key = key
        self.snapshot = snapshot
        self.slug = slug
        self.method = method
        self.headers = headers
        self.sessions = sessions
        self.message: Message | None = None
        self.name: str | None = None
        self.modern = False

    @property
    def version(self) -> str:
        return MODERN if self.modern else self.headers.version or ASSUMED_VERSION

    @property
    def rpc_method(self) -> str:
        return self.message.method if self.message is not None else ""


class ServerCall(Call):
    """One HTTP exchange with an upstream server, for one principal and never shared with another.

    Only calls that do a server's work are journaled as usage events; looking around is relayed without one."""

    plane = "mcp"
    __slots__ = ("_access", "_body", "_inbound", "_index", "_rates", "_routing", "_session")

    def __init__(
        self,
        inbound: Inbound,
        index: ServerIndex,
        access: Access,
        *,
        routing: list[tuple[str, str]],
        session: Session | None = None,
        tool: Tool | None = None,
    ) -> None:
        super().__init__(inbound.key, inbound.snapshot)
        message = inbound.message
        self._inbound = inbound
        self._index = index
        self._access = access
        self._routing = routing
        self._session = session
        self._rates = FREE
        self._body = message.encode() if message is not None else b""
        self.stream = True
        self.server = index.record.slug
        self.journaled = message is not None and message.id is not None and message.method in METERED
        self.head_first = inbound.method == "GET" or inbound.rpc_method in STREAMS
        if self.journaled:
            self.estimate = {"requests": 1}
        if tool is not None:
            self.tool = tool.name
            self.expectation = tool.expectation
            self._rates, self.reserve = tool.priced()

    def legs(self) -> Iterator[Leg]:
        """One: a tool may have been run even if its answer is lost, so no call is made twice."""
        record = self._index.record
        upstream = self._index.upstream(self._inbound.kit.upstreams, lasting=self.head_first)
        yield Leg(
            upstream,
            record.url,
            headers=self._headers(),
            body=self._body,
            rates=self._rates,
            deployment=self.server,
            method=self._inbound.method,
        )

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        if answer.status >= 300:
            raise UpstreamFailed("The server redirects its callers, which the house does not follow.", code="upstream_redirect")
        message = self._inbound.message
        rewrite, only_lists = self._rewrite()
        return McpMeter(
            rpc_id=message.id if message is not None else None,
            rewrite=rewrite,
            only_lists=only_lists,
            owed=self._inbound.modern and not self.head_first,
            metered=self.journaled,
        )

    def may_retry(self, status: int) -> bool:
        return False

    def errored(self, answer: Answer, body: bytes) -> bytes:
        """The body of an upstream's refusal as the caller gets it. Raises HouseError where the house words it itself."""
        inbound = self._inbound
        failure = failure_of(
            answer,
            body,
            era=self._index.record.era,
            modern=inbound.modern,
            message=inbound.message,
            version=inbound.version,
            in_session=self._session is not None,
        )
        if failure is not None:
            raise failure
        return body

    def answer_headers(self, answer: Answer) -> Headers:
        content_type = answer.header("content-type")
        headers = [(b"content-type", content_type.encode("latin-1"))] if content_type else []
        inbound = self._inbound
        if inbound.rpc_method == "initialize" and (upstream := answer.header("mcp-session-id")) is not None:
            session = Session(upstream=upstream, url=self._index.record.url)
            text = inbound.sessions.issue(session, principal=self.key.principal.ref, slug=inbound.slug)
            headers.append((b"mcp-session-id", text.encode()))
        return headers

    def still_allowed(self, snapshot: Snapshot) -> bool:
        """A running call goes on through a republication as long as its tool is served and granted at its address."""
        server, slug, allowed = snapshot.mcp.get(self.server), self._inbound.slug, self.allowed(snapshot)
        if not isinstance(server, ServerRecord):
            return False
        index = snapshot.view(server, server_index)
        if self.tool and self.tool not in index.tools:
            return False
        if slug != self.server:
            return slug in snapshot.mcp and f"toolset:{slug}" in allowed
        access = index.access(allowed)
        return access is not None and (not self.tool or access.to(self.tool))

    def _headers(self) -> list[tuple[str, str]]:
        inbound = self._inbound.headers
        fields = [("accept", inbound.accept or BOTH), *self._routing, *inbound.param]
        if self._body:
            fields.append(("content-type", "application/json"))
        if self._session is not None:
            fields.append(("mcp-session-id", self._session.upstream))
        if inbound.last_event is not None:
            fields.append(("last-event-id", inbound.last_event))
        credential = self._index.credential(self._inbound.kit.sealer)
        if credential is not None:
            fields.append(credential)
        return fields

    def _rewrite(self) -> tuple[Rewrite | None, bool]:
        """What changes a result on its way, and whether it is for results that list tools and no others."""
        inbound = self._inbound
        method = inbound.rpc_method
        if method in ("initialize", "server/discover"):
            return (without_tasks if self._access.whole else narrowed), False
        if method == "tools/list":
            return self._screen, False
        return (None, False) if inbound.modern else (self._screen, True)

    def _screen(self, result: bytes) -> bytes:
        inbound = self._inbound
        return self._index.screen(result, access=self._access, version=inbound.version, private=inbound.modern)
