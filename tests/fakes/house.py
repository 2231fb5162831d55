"""A whole data plane without Django: real store, limits, journal and gateways over contents laid out by the test.

`House` serves it on a real socket in this process; `House.app` is the ASGI app for whoever needs it bare. What it
wrote down is read back from its journal's files.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx

from dataplane.authority import LocalAuthority
from dataplane.events import UsageEvent
from dataplane.idempotency import Claims
from dataplane.kit import Kit, Routes, application
from dataplane.limits import Limits
from dataplane.pins import Pins
from dataplane.sealing import Sealer
from dataplane.snapshot import LimitRecord
from dataplane.store import Store
from llmgateway.proxy.app import routes as llm_routes
from llmgateway.proxy.stored import routes as stored_routes
from tests.fakes.contents import PEPPER, SEAL_KEY, Contents
from tests.fakes.dialects import Call
from tests.fakes.journaled import WAIT_LIMIT, Line, Reading, TappedJournal
from tests.fakes.serving import App, serving

MORNING = datetime(2026, 11, 23, 9, 30, 10, tzinfo=UTC).timestamp()
"""Ten seconds into a minute, so that no limit's window ends inside a test."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""A client would otherwise read the file of all authorities each time: 20 ms a test."""


class House:
    """One worker on a loopback port. `key` belongs to `team`; what the team is granted is the test's to say. `now` is
    what the limits take for the present: it stands still until the test moves it."""

    def __init__(
        self,
        home: Path,
        *,
        max_journal: int = 1 << 28,
        routes: Sequence[Routes] | None = None,
        pins: Pins | None = None,
        claims: Claims | None = None,
    ) -> None:
        self.home = home
        self.contents = Contents()
        self.team = self.contents.team("desk")
        self.key = self.contents.key("desk-key", team=self.team)
        self.requests = 0
        self.store = Store(path=home / "snapshot.msgpack")
        self.journal = TappedJournal(home / "journal", worker="test", max_bytes=max_journal)
        self.reading = Reading(self.journal)
        self.now = MORNING
        limits = Limits(LocalAuthority(), clock=lambda: self.now, on_lease=self.journal.lease)
        sealer, store = Sealer(SEAL_KEY), self.store
        self.kit = Kit(pepper=PEPPER, sealer=sealer, store=store, limits=limits, journal=self.journal, pins=pins, claims=claims)
        self.app: App = self._counted(application(self.kit, [llm_routes(), stored_routes()] if routes is None else routes))
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.publish()
        self.url = self._stack.enter_context(serving(self.app, lifespan=True))
        self.http = self._stack.enter_context(self.client())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=NO_TLS, **more)

    def bare_client(self) -> httpx.AsyncClient:
        """Calls the app in this very event loop, without a server. It does not see a stream's pieces apart."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://house", timeout=30)

    def post(self, call: Call, body: bytes | None = None, *, key: str | None = None, **changes: Any) -> httpx.Response:
        """Makes the call as its dialect's SDK would, with fields of its body changed, or with another body."""
        content = json.dumps({**call.body, **changes}).encode() if body is None else body
        return self.http.post(call.path, content=content, headers=call.headers(key or self.key))

    def publish(self) -> None:
        """Makes the contents as they are now what the house serves."""
        self.store.apply(self.contents.sections())

    def limited_key(self, **limits: int) -> str:
        """A key of the same team with fairness limits of its own."""
        key = self.contents.key(f"limited-{len(self.contents.keys)}", team=self.team, limits=LimitRecord(**limits))
        self.publish()
        return key

    @staticmethod
    def wait_until(condition: Callable[[], bool]) -> None:
        """For what no event tells of. Fails after WAIT_LIMIT seconds."""
        deadline = time.monotonic() + WAIT_LIMIT
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the condition never came true")
            time.sleep(0.005)

    def settled(self) -> UsageEvent:
        """The one leg settled since the last look."""
        return self.reading.take_settled(1)[0]

    def all_settled(self, count: int) -> list[UsageEvent]:
        return self.reading.take_settled(count)

    def journaled(self) -> list[Line]:
        """Every leg written down since the last look, settled or not."""
        return self.reading.untaken()

    def _counted(self, app: App) -> App:
        lock = threading.Lock()

        async def counted(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                with lock:
                    self.requests += 1
            await app(scope, receive, send)

        return counted


def standard(contents: Contents, team: int, provider_url: str) -> None:
    """One provider under two dialects and three models of it, granted to the team: gpt, embed and claude."""
    contents.provider("openai", f"{provider_url}/v1")
    contents.provider("anthropic", provider_url, dialect="anthropic")
    for name, account in (("gpt", "openai"), ("embed", "openai"), ("claude", "anthropic")):
        contents.grant(f"team:{team}", contents.model(name, contents.deployment(account, f"{name}-real")))
