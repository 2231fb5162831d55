"""What a gateway tells the pipeline about a call: whom it is for, what it may cost, where it may go, how to read it.

Three small objects, one of each protocol: `Gateway` opens calls and words refusals, `Call` is one admitted request,
`Meter` reads one upstream answer while it passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from dataplane.asgi import Headers, Request
from dataplane.errors import HouseError
from dataplane.money import Rates
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from dataplane.upstream import Answer, Prepared, Streamed, Upstream

if TYPE_CHECKING:
    from dataplane.keeping import Keeping
    from dataplane.kit import Kit

RETRYABLE = frozenset((408, 429, 500, 502, 503, 504, 529))
"""Statuses of an upstream on which another deployment may be tried, before the first byte went to the caller."""

Usage = dict[str, int]


class Leg:
    """One attempt: a request to one upstream, and how it is priced and named in the ledger. `authorize` is waited for where
    what proves the house's account has to be fetched first; it gives headers and raises UpstreamFailed. `drains` says that
    the upstream goes on working, and billing, when it is left: a stream is then read to its end for its usage."""

    __slots__ = ("authorize", "body", "deployment", "drains", "headers", "method", "provider", "rates", "upstream", "url")

    def __init__(
        self,
        upstream: Upstream,
        url: str | Prepared,
        *,
        headers: list[tuple[str, str]],
        body: bytes | Streamed,
        rates: Rates | None,
        provider: str = "",
        deployment: str = "",
        method: str = "POST",
    ) -> None:
        self.upstream = upstream
        self.url = url
        self.headers = headers
        self.body = body
        self.rates = rates
        self.provider = provider
        self.deployment = deployment
        self.method = method
        self.authorize: Callable[[], Awaitable[list[tuple[str, str]]]] | None = None
        self.drains = False


class Meter:
    """Reads an answer as it passes. This one relays everything untouched and knows of no usage."""

    beat = b""
    """What tells the caller of a stream that it is still worked on, between two events; b"" where the protocol has nothing
    that says so."""

    __slots__ = ("complete", "failed")

    def __init__(self) -> None:
        self.failed = False
        """An error was told in-band, under a status that said success."""
        self.complete = False
        """The answer has passed whole: a caller that leaves now, before the stream is closed, has aborted nothing."""

    def whole(self, body: bytes) -> bytes:
        """A complete answer; returns what the caller gets."""
        return body

    def feed(self, data: bytes) -> bytes:
        """Bytes of a stream; returns what the caller gets of them now (may be nothing yet)."""
        return data

    def finish(self) -> bytes:
        """The stream ended in order; returns what is left to relay."""
        return b""

    def usage(self) -> Usage | None:
        """What was used, as the upstream said; None when it said nothing."""
        return None

    def partial(self) -> Usage:
        """An estimate from what has passed, for an answer that did not come to its end."""
        return {}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        """What ends a stream in this protocol when its upstream has died after the first byte."""
        return b""


class Call:
    """One request of a caller, resolved and authorized, not yet admitted.

    `reserve` is the most it can cost in 1e-9 USD (None: unpriced), `tokens` counts against token limits, `estimate` is
    what is assumed to be used when nothing else is known, `expectation` names whose recent costs are comparable.

    `journaled` False is for exchanges that do no work to be metered (a list, a notification): they leave no usage event.
    `head_first` is for streams that answer nothing anybody waits for: the head goes out at once, silence is no failure,
    and they hold none of the caller's concurrency. `keeping` is for calls that may be given a kept answer or whose own may be
    kept. `first_event` and `idle` are the seconds that a stream may take to its
    first event and between two of them; None: what the upstream's own timeouts allow."""

    plane = ""
    __slots__ = (
        "agent",
        "estimate",
        "expectation",
        "first_event",
        "head_first",
        "idle",
        "journaled",
        "keeping",
        "key",
        "model",
        "reserve",
        "server",
        "snapshot",
        "stream",
        "tokens",
        "tool",
    )

    def __init__(self, key: KeyRecord, snapshot: Snapshot) -> None:
        self.key = key
        self.snapshot = snapshot
        self.model = self.server = self.tool = self.agent = ""
        self.expectation = ""
        self.reserve: int | None = None
        self.tokens = 0
        self.estimate: Usage = {}
        self.stream = False
        self.journaled = True
        self.head_first = False
        self.keeping: Keeping | None = None
        self.first_event: float | None = None
        self.idle: float | None = None

    def legs(self) -> Iterator[Leg]:
        """Where it may go, best first; asked for the next only when the one before failed in a way worth a retry."""
        raise NotImplementedError

    def meter(self, leg: Leg, answer: Answer) -> Meter:
        return Meter()

    def is_stream(self, answer: Answer) -> bool:
        """Whether the answer is relayed as it comes, and not read whole first."""
        content_type = answer.header("content-type")
        return content_type is not None and content_type.startswith("text/event-stream")

    def may_retry(self, status: int) -> bool:
        return status in RETRYABLE

    def errored(self, answer: Answer, body: bytes) -> bytes:
        """What the caller gets of an upstream's error (400 and above) under its status. Raises HouseError where the house
        words the refusal itself."""
        return body

    def answer_headers(self, answer: Answer) -> Headers:
        """Headers of the upstream's answer that the caller gets, content type included."""
        content_type = answer.header("content-type") or "application/json"
        return [(b"content-type", content_type.encode("latin-1"))]

    def still_allowed(self, snapshot: Snapshot) -> bool:
        """Asked on each new snapshot of a call that runs or is about to: False cuts it. See `allowed`."""
        return True

    def allowed(self, snapshot: Snapshot) -> frozenset[str]:
        """What the caller may use by now. The key as it is in that snapshot decides, for its owner may have changed teams;
        who pays stays who paid when the call came in."""
        return snapshot.allowed(snapshot.key(self.key.digest) or self.key)


class Gateway(Protocol):
    """One of the three protocols."""

    plane: str

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        """Parses, resolves and authorizes. None: the gateway has answered by itself. Raises HouseError."""

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        """The protocol's own way to say no: status, headers (content type included), body."""
