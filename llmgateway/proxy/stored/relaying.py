"""A call about something stored, at the one account that stores it: no other deployment can answer it, its bytes pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dataplane.asgi import Headers, Request
from dataplane.call import Call, Leg, Meter, Usage
from dataplane.errors import UpstreamFailed
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer, Streamed
from llmgateway.proxy.stored.accounts import Account
from llmgateway.proxy.stored.notices import Made
from llmgateway.proxy.stored.owners import remember

if TYPE_CHECKING:
    from dataplane.kit import Kit

FORWARDED = ("accept", "user-agent", "openai-beta", "anthropic-version", "anthropic-beta")
_PASSED = frozenset({"content-type", "content-disposition", "retry-after", "retry-after-ms", "x-should-retry"})
_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-")
_OWN_ACCOUNT = frozenset({"openai-organization", "openai-project", "anthropic-organization-id"})
"""Headers that name the house's account at the provider."""

_ACCOUNT_REFUSED = frozenset((401, 402, 407))
"""The provider refuses the house, not its caller: its text may quote the house's credential."""

SMALL = 1024 * 1024
"""Bytes of a file that is read whole before it is passed on."""

Read = Callable[[bytes], list[Made]]


class StoredCall(Call):
    """Costs nothing but what `usage` says: None leaves no usage event, anything else is what is settled. `made` reads which
    ids an answer gives out; they become the caller's. `done` is told of an answer that was a success."""

    plane = "llm"
    __slots__ = ("_account", "_done", "_is_file", "_kit", "_leg", "_made", "_request", "_usage", "meters", "rewrite")

    def __init__(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot, *, account: Account, leg: Leg) -> None:
        super().__init__(key, snapshot)
        self.journaled = False
        self.reserve = 0
        self.meters: Callable[[Meter], Meter] = lambda meter: meter
        self._kit = kit
        self._request = request
        self._account = account
        self._leg = leg
        self._made: Read | None = None
        self._done: Callable[[bytes], object] | None = None
        self._usage: Usage | None = None
        self._is_file = False
        self.rewrite: Callable[[bytes], bytes] = lambda body: body

    def makes(self, made: Read) -> StoredCall:
        self._made = made
        return self

    def then(self, done: Callable[[bytes], object]) -> StoredCall:
        self._done = done
        return self

    def counts(self, usage: Usage) -> StoredCall:
        """It leaves a usage event, without a price where no price list has one."""
        self._usage = usage
        self.journaled = True
        self.reserve = None
        self._leg.rates = None
        return self

    def rewritten(self, rewrite: Callable[[bytes], bytes]) -> StoredCall:
        """What its caller gets of an answer that was a success."""
        self.rewrite = rewrite
        return self

    def passed_through(self) -> StoredCall:
        """Its answer may be as large as a file: it is relayed as it comes. What breaks off is seen by its length."""
        self._is_file = True
        return self

    def take(self, made: list[Made]) -> None:
        place = self._account.place
        remember(self._kit, self.key, made, provider=place.provider_id, provider_name=place.provider)

    def legs(self) -> Iterator[Leg]:
        yield self._leg

    def may_retry(self, status: int) -> bool:
        return False

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        return self.meters(_Passing(self))

    def answered(self, body: bytes) -> None:
        if self._made is not None:
            self.take(self._made(body))
        if self._done is not None:
            self._done(body)

    def used(self) -> Usage:
        return self._usage or {}

    def answer_headers(self, answer: Answer) -> Headers:
        headers = [*passed_headers(answer), *own_request_id(self._account, self._request)]
        length = answer.header("content-length")
        as_it_is = answer.header("content-encoding") in (None, "identity")
        if self._is_file and length is not None and as_it_is and self.is_stream(answer):
            return [*headers, (b"content-length", length.encode())]
        return headers

    def is_stream(self, answer: Answer) -> bool:
        return super().is_stream(answer) or (self._is_file and not _is_small(answer))

    def errored(self, answer: Answer, body: bytes) -> bytes:
        return refused_account(answer, body)

    def still_allowed(self, snapshot: Snapshot) -> bool:
        """One that runs goes on as long as a grant leads to its account."""
        return not self._account.grants.isdisjoint(self.allowed(snapshot))


def _is_small(answer: Answer) -> bool:
    length = answer.header("content-length")
    return length is not None and length.isdigit() and int(length) <= SMALL


class _Passing(Meter):
    __slots__ = ("_call",)

    def __init__(self, call: StoredCall) -> None:
        super().__init__()
        self._call = call

    def whole(self, body: bytes) -> bytes:
        self._call.answered(body)
        return self._call.rewrite(body)

    def usage(self) -> Usage | None:
        return self._call.used()


def leg_to(
    account: Account,
    request: Request,
    path: str,
    *,
    body: bytes | Streamed = b"",
    content_type: str | None = None,
    method: str | None = None,
    query: str | None = None,
) -> Leg:
    """The caller's request at `path` of the account. Not given, `method` and `query` are the caller's own, and the content type
    is JSON where there is a body."""
    if content_type is None:
        content_type = "application/json" if body else ""
    headers = [(name, value) for name in FORWARDED if (value := request.header(name.encode())) is not None]
    headers.append(("x-request-id", request.id))
    leg = account.place.leg(
        path,
        headers=headers,
        body=body if isinstance(body, bytes) else b"",
        method=method or request.method,
        query=request.query.decode("latin-1") if query is None else query,
        content_type=content_type,
    )
    leg.body = body
    leg.deployment = path.split("/")[1]
    return leg


def passed_headers(answer: Answer) -> Headers:
    """Those of a provider's answer that its caller gets: none of them names the house's account."""
    headers = []
    for name, value in answer.headers():
        if name in _PASSED or (name.startswith(_PREFIXES) and name not in _OWN_ACCOUNT):
            headers.append((name.encode(), value.encode("latin-1")))
        elif name in ("x-request-id", "request-id"):
            headers.append((b"x-upstream-request-id", value.encode("latin-1")))
    return headers


def own_request_id(account: Account, request: Request) -> Headers:
    """In the header that Anthropic's SDK takes it from."""
    return [(b"request-id", request.id.encode())] if account.place.dialect == "anthropic" else []


def refused_account(answer: Answer, body: bytes) -> bytes:
    """The body of a provider's error for the caller. Raises UpstreamFailed where it is the house that was refused."""
    if answer.status in _ACCOUNT_REFUSED:
        raise UpstreamFailed("The provider does not accept the house's own account.", code="upstream_account_refused")
    return body
