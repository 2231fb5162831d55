"""All slices of a worker, and the task that looks after them: idle ones go back, spending is reported, those who wait
for money that other workers hold are told when it is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from dataplane.authority import Authority, LocalAuthority
from dataplane.errors import AuthorityUnavailable
from dataplane.expectation import Expectation
from dataplane.leases import REPORT_TICKS, Lease, Terms
from dataplane.windows import remembered

log = logging.getLogger(__name__)

TICK = 0.025
MARK_TICKS = 120
"""Three seconds: longer than a settled call takes to its place in the ledger. While there is no authority the marks
stand still, for then the way to the ledger may be cut as well."""

SWEEP_TICKS = 2400
RATE_TTL = 180.0
SLOT_TTL = 3600.0
"""Slots that nobody takes or gives back for so long are forgotten, with whoever held them."""

DRAIN = 1.0

NOBODY: frozenset[str] = frozenset()
OnLease = Callable[[str, int], object]


def _say_nothing(account: str, held: int) -> None:
    """For whoever needs no recovery."""


class LeasePool:
    """`on_lease(reference, held)` is called before a slice gets smaller and after it got larger, open reservations
    included; the reference is the account with the epoch it was held in. `active` are the leases that hold or owe
    something, `swept` is called when unused leases were forgotten."""

    def __init__(self, authority: Authority, *, on_lease: OnLease | None = None, clock: Callable[[], float] = time.time) -> None:
        self.authority = authority
        self.local = authority if isinstance(authority, LocalAuthority) else None
        self.on_lease = on_lease or _say_nothing
        self.expectation = Expectation()
        self.swept: Callable[[], None] = lambda: None
        self.clock = clock
        self._leases: dict[str, Lease] = {}
        self._active: dict[Lease, None] = {}
        self._ticks = 0
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        authority.on_epoch = self._declare

    def lease(self, account: str, terms: Terms) -> Lease:
        """The worker's lease of an account, with these terms from now on."""
        lease = self._leases.get(account)
        if lease is None:
            lease = self._leases[account] = Lease(account, terms, self)
            if self.local is not None:
                lease.look(self.local.peek_now(account, limit=terms.limit))
        elif lease.terms != terms:
            lease.change(terms)
        return lease

    def known(self) -> list[Lease]:
        return list(self._leases.values())

    def forget(self, lease: Lease) -> None:
        """The limit is gone: gives back what is not reserved."""
        lease.retire()
        self._leases.pop(lease.account, None)

    def ttl(self, terms: Terms) -> float | None:
        """Seconds after which the authority may forget the account."""
        if terms.kind == "budget":
            return remembered(terms.ends, self.clock())
        return SLOT_TTL if terms.ends is None else RATE_TTL

    def activate(self, lease: Lease) -> None:
        lease.active = True
        self._active[lease] = None

    def held(self) -> dict[str, int]:
        """What this worker may still spend, by account, open reservations included."""
        return {lease.account: lease.holds for lease in self._active if lease.holds}

    def share(self) -> None:
        """Lets other workers know what calls cost, before they hear of the money that is left."""
        if self.local is not None:
            self.expectation.take_fresh()
        elif self.authority.reachable:
            for model, cost in self.expectation.take_fresh().items():
                self.authority.learn(model, cost)

    async def start(self) -> None:
        if self._task is None:
            self.closed = False
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Gives everything back but what open calls hold: those are for the journal's recovery."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self.closed = True
        await self._hungry()
        self.share()
        for lease in list(self._active):
            lease.retire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self.authority.drain()

    async def tick(self) -> None:
        """One round of upkeep; the task does it every `TICK` seconds."""
        self._ticks += 1
        hungry = await self._hungry()
        if self.authority.reachable:
            self.share()
        now = self.clock()
        for lease in list(self._active):
            ends = lease.terms.ends
            over = ends is not None and ends <= now and not lease.money
            if over or not lease.tick(hungry=lease.account in hungry):
                del self._active[lease]
                lease.active = False
        if self._ticks % MARK_TICKS == 0 and self.authority.reachable and self.authority.epoch:
            for lease in self._active:
                lease.mark()
        counted = self._ticks % REPORT_TICKS == 0
        await asyncio.gather(*(self._look(lease) for lease in self._active if lease.waiters or (counted and not lease.terms.hard)))
        if self._ticks % SWEEP_TICKS == 0:
            self._leases = {lease.account: lease for lease in self._active}
            self.swept()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.tick()
            except Exception:
                log.exception("upkeep of leases failed")

    async def _hungry(self) -> frozenset[str]:
        """Asked whenever anything is held or was spent of late: that is also how a new epoch is noticed, in which it
        must be declared before the grace is over."""
        if self.local is not None or not self._active:
            return NOBODY
        try:
            return await self.authority.hungry()
        except AuthorityUnavailable:
            return NOBODY

    async def _look(self, lease: Lease) -> None:
        """Looks how an account stands for which somebody waits here, or which is only counted."""
        try:
            for model in {waiter.model for waiter in lease.waiters if waiter.model is not None}:
                await self.learn(model)
            lease.look(await self.authority.peek(lease.account, limit=lease.limit))
        except AuthorityUnavailable:
            lease.rouse()
            return
        lease.wake()

    async def learn(self, model: str) -> int | None:
        """What calls of this model cost, from other workers if this one does not know."""
        known = self.expectation.get(model)
        if known is None and (known := await self.authority.expected(model)) is not None:
            self.expectation.adopt(model, known)
        return known

    def _declare(self) -> None:
        for lease in list(self._active):
            lease.declare()
