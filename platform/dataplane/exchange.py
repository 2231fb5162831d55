"""One admitted call on its way: its attempts in turn, its caller watched, its admission settled at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataplane import money
from dataplane.asgi import Request, Watch
from dataplane.attempt import Attempt
from dataplane.call import Call, Leg, Usage
from dataplane.errors import HouseError, UpstreamFailed

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.limits import Admission


class Exchange:
    """One admitted call on its way. `started` is True once a byte may have gone to the caller."""

    __slots__ = (
        "admission",
        "attempt",
        "call",
        "cut",
        "kit",
        "nano",
        "request",
        "route",
        "seen",
        "sending_since",
        "started",
        "task",
        "tokens",
        "tries",
        "waiting",
        "watch",
    )

    def __init__(self, kit: Kit, request: Request, call: Call, admission: Admission) -> None:
        self.kit = kit
        self.request = request
        self.call = call
        self.admission = admission
        self.started = False
        self.cut: HouseError | None = None
        self.route = b""
        self.tries = 0
        self.nano: int | None = None
        self.tokens = 0
        self.sending_since = 0.0
        self.waiting = False
        self.seen = False
        self.watch: Watch | None = None
        self.attempt: Attempt | None = None

    @property
    def gone(self) -> bool:
        """Whether the caller has left."""
        return self.watch is not None and self.watch.gone

    def look(self) -> None:
        """Called every now and then while the call runs. From the second time on it is known to be a long one, and worth a
        task that waits for its caller to leave: most calls are over before."""
        if self.seen and self.watch is None:
            self.watch = Watch(self.request, self._left)
        self.seen = True
        if self.attempt is not None and self.attempt.relay is not None:
            self.attempt.relay.look()

    async def run(self) -> None:
        """Tries the legs in turn. Raises HouseError when none gave an answer."""
        self.task = asyncio.current_task()
        kit = self.kit
        kit.watch_over(self)
        if self.call.head_first:
            self.admission.settle(None, 0)
        try:
            await self._legs(self.call.legs())
        except asyncio.CancelledError:
            if self.task is None or not (self.cut or self.gone):
                raise
            self.task.uncancel()
            if self.cut is not None and not (self.started or self.gone):
                raise self.cut from None
        finally:
            kit.active.discard(self)
            if self.watch is not None:
                self.watch.stop()
            if not self.call.head_first:
                self.admission.settle(self.nano, self.tokens)

    async def _legs(self, legs: Iterator[Leg]) -> None:
        failure: HouseError | None = None
        leg = next(legs, None)
        while leg is not None:
            attempt = Attempt(self, leg)
            following = await attempt.run(legs)
            if following is attempt.DONE or self.gone:
                return
            failure, leg = attempt.failure, following
        raise failure or UpstreamFailed("No deployment can take this call.")

    def _left(self) -> None:
        """The caller has gone. An upstream that has the request but has not answered can't be stopped (the client library
        lets its request run on): it is waited for, since what it answers is billed. A stream that is billed on is read on,
        once nothing is being written to the caller. An answer in one piece that its caller will ask for again is read."""
        if self.waiting or self.task is None:
            return
        attempt, keeping = self.attempt, self.call.keeping
        if keeping is not None and keeping.expected_again and attempt is not None and attempt.relay is None:
            return
        if attempt is None or attempt.relay is None or not attempt.leg.drains or self.sending_since:
            self.task.cancel()

    def cancel(self, reason: HouseError) -> None:
        """Cuts the call from outside. A caller that has not been answered yet is told `reason`."""
        self.cut = reason
        if self.task is not None:
            self.task.cancel()

    async def send(self, message: dict[str, object]) -> None:
        self.sending_since = time.monotonic()
        await self.request.send(message)
        self.sending_since = 0.0

    def account(self, cost: int | None, usage: Usage) -> None:
        """Adds what a leg cost (1e-18 USD) and used to what the admission is settled with."""
        if cost is not None:
            self.nano = (self.nano or 0) + money.atto_to_nano(cost)
        self.tokens += usage.get("input", 0) + usage.get("cached_read", 0) + usage.get("output", 0)
