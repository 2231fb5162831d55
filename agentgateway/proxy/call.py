"""One A2A operation on its way to one agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec

from agentgateway.proxy.cards import UnreadableCard, rewritten
from agentgateway.proxy.index import AgentIndex
from agentgateway.proxy.meter import AgentMeter, Rewrite
from agentgateway.proxy.operations import CARD, LIST, SEND, STREAMS
from agentgateway.proxy.ownership import Ownership
from agentgateway.proxy.tasklists import own_tasks
from dataplane.asgi import Headers, Request
from dataplane.call import Call, Leg, Meter
from dataplane.errors import HouseError, RateLimited, UpstreamFailed
from dataplane.jsonrpc import Message, members_of
from dataplane.money import FREE
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer

if TYPE_CHECKING:
    from dataplane.kit import Kit

VERSION = b"a2a-version"
_FORWARDED = (VERSION, b"a2a-extensions", b"x-a2a-extensions")
_RETURNED = ("content-type", "a2a-version", "a2a-extensions")
_OURS = frozenset({401, 402, 403, 407})


class AgentCall(Call):
    """One HTTP exchange with an agent. A caller that leaves closes the connection, which ends no task."""

    plane = "a2a"
    __slots__ = ("_body", "_index", "_kit", "_message", "_ownership", "_rates", "_request")

    def __init__(
        self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot, *, index: AgentIndex, message: Message, ownership: Ownership
    ) -> None:
        super().__init__(key, snapshot)
        self._kit = kit
        self._request = request
        self._index = index
        self._message = message
        self._ownership = ownership
        self._body = message.encode()
        self.agent = index.record.slug
        self.tool = message.method
        self.stream = message.method in STREAMS
        self.estimate = {"requests": 1}
        self.expectation = f"agent:{self.agent}"
        self._rates = index.rates if message.method in SEND else FREE
        self.reserve = self._rates.reserve(input_tokens=0, output_tokens=0)

    def legs(self) -> Iterator[Leg]:
        """One: what a message starts can't be told to be the same when it is sent twice."""
        record = self._index.record
        timeouts = (record.connect_timeout, record.read_timeout, record.total_timeout)
        upstream = self._kit.upstreams.get(record.url, allow_private=record.allow_private_network, timeouts=timeouts)
        yield Leg(upstream, record.url, headers=self._headers(), body=self._body, rates=self._rates, deployment=record.slug)

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        if answer.status >= 300:
            raise UpstreamFailed("The agent redirects its callers, which the house does not follow.", code="upstream_redirect")
        message = self._message
        return AgentMeter(message.method, rpc_id=message.id or b"null", learn=self._learn, rewrite=self._rewrite())

    def may_retry(self, status: int) -> bool:
        return False

    def errored(self, answer: Answer, body: bytes) -> bytes:
        """The agent's own JSON-RPC error is relayed under its status; the rest the house words itself."""
        status = answer.status
        if status in _OURS:
            raise UpstreamFailed("The agent refused the credential that the house calls it with.", code="upstream_unauthorized")
        if status == 429:
            raise RateLimited("The agent is called too often.", retry_after=_seconds(answer.header("retry-after")))
        if "error" in (members_of(body) or ()):
            return body
        if status < 500:
            raise HouseError(f"The agent did not accept the request (status {status}).", status=502, code="upstream_refused")
        raise UpstreamFailed(f"The agent failed (status {status}).")

    def answer_headers(self, answer: Answer) -> Headers:
        return [(name.encode(), value.encode("latin-1")) for name in _RETURNED if (value := answer.header(name)) is not None]

    def still_allowed(self, snapshot: Snapshot) -> bool:
        return self.agent in snapshot.agents and f"agent:{self.agent}" in self.allowed(snapshot)

    def _headers(self) -> list[tuple[str, str]]:
        request = self._request
        fields = [("content-type", "application/json"), ("accept", "text/event-stream" if self.stream else "application/json")]
        fields += [(name.decode(), value.decode("latin-1")) for name in _FORWARDED if (value := request.headers.get(name)) is not None]
        if VERSION not in request.headers and (version := _asked_version(request.query)) is not None:
            fields.append((VERSION.decode(), version))
        credential = self._index.credential(self._kit.sealer)
        if credential is not None:
            fields.append(credential)
        return fields

    def _learn(self, task: str, context: str) -> None:
        owner = self.key.principal.ref
        if task:
            self._ownership.claim_task(self.agent, task, owner)
        if context:
            self._ownership.claim_context(self.agent, context, owner)

    def _rewrite(self) -> Rewrite | None:
        if self._message.method == CARD:
            return self._card
        if self._message.method == LIST:
            return self._own_tasks
        return None

    def _card(self, result: msgspec.Raw) -> bytes:
        index = self._index
        try:
            return rewritten(result, upstream_url=index.record.url, public_url=index.public_url)
        except UnreadableCard as error:
            raise UpstreamFailed("The agent's extended card can't be read.", code="upstream_protocol_error") from error

    def _own_tasks(self, result: msgspec.Raw) -> bytes:
        def is_own(task: str, context: str) -> bool:
            return self._ownership.is_own(self.agent, task=task, context=context, caller=self.key.principal.ref)

        return own_tasks(result, is_own)


def _asked_version(query: bytes) -> str | None:
    """The version where a caller could not set a header (spec 1.0, §3.6): the query parameter of the same name."""
    if not query:
        return None
    values = parse_qs(query.decode("latin-1")).get("A2A-Version")
    return values[0] if values and values[0].isascii() and values[0].isprintable() else None


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() and len(text) < 6 else 1.0
