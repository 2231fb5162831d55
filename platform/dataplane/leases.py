"""A worker's slices of accounts: taken before they are spent, spent without I/O, given back when idle.

Of one account a worker has `available` (to spend), `reserved` (promised to open calls) and `unreported` (spent, the
authority still counts it as taken). What the authority counts as taken by us is `taken`; the three add up to it, but
for what was overspent (`available` below zero) or granted by the worker itself while no authority could be reached.
All of it lives in one event loop; nothing here awaits but `Lease.wait`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from dataplane.authority import Grant

if TYPE_CHECKING:
    from dataplane.lease_pool import LeasePool

WANTED = 16
"""Calls of the size at hand that a slice is asked for; the authority grants an eighth of what is free at the most."""

NEVER = 1 << 63
IDLE_TICKS = 4
REPORT_TICKS = 40
"""Ticks after which a busy slice's spending is reported at the latest."""


class Ask(TypedDict):
    """Keyword arguments of `Authority.take`."""

    need: int
    want: int
    limit: int
    least: int
    alone: bool
    ttl: float | None


class Terms(NamedTuple):
    """What an account limits. `kind` is budget, rpm, tpm or conc; `ends` is the window's end in Unix time; `hard` is
    False for a budget that only counts; `period` is a budget's."""

    kind: str
    subject: str
    limit: int
    ends: float | None = None
    period: str = ""
    hard: bool = True


class Waiter:
    """A call that waits for `reserve`, or for what calls of `model` cost of late (None: only for `reserve`)."""

    __slots__ = ("future", "model", "reserve")

    def __init__(self, reserve: int, model: str | None) -> None:
        self.reserve, self.model = reserve, model
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Lease:
    """This worker's part of one account. `free` and `outstanding` are how the account stood when last heard of, moved by
    what was told since. `alert`: whoever settles must call `settled`."""

    __slots__ = (
        "account", "active", "alert", "available", "free", "hungry", "idle", "limit", "money", "newer", "older", "outstanding",
        "pool", "ref", "refused", "reported", "reserved", "scarce", "since_report", "sole", "taken", "terms", "touched", "turn",
        "unreported", "unseen", "waiters",
    )  # fmt: skip

    def __init__(self, account: str, terms: Terms, pool: LeasePool) -> None:
        self.account, self.terms, self.pool = account, terms, pool
        self.limit = self.free = terms.limit
        self.money = terms.kind == "budget"
        self.ref = account
        self.available = self.reserved = self.unreported = self.taken = self.outstanding = 0
        self.reported = self.older = self.newer = 0
        self.refused = NEVER
        self.idle = self.since_report = 0
        self.active = self.touched = self.sole = self.scarce = self.hungry = self.alert = False
        self.unseen = True
        self.waiters: dict[Waiter, None] = {}
        self.turn = asyncio.Lock()

    @property
    def holds(self) -> int:
        """What it may still spend, open reservations included."""
        return max(self.available, 0) + self.reserved

    @property
    def potential(self) -> int:
        """What could be had at the best if every open call ended for nothing, as far as known."""
        return self.free + self.outstanding - self.unreported

    @property
    def remaining(self) -> int:
        """Of the limit, as far as known here."""
        return max(0, self.free + self.available)

    def afford(self, reserve: int, expected: int | None) -> int | None:
        """How much a call may reserve here: all it can cost; where the authority could not give that, what such calls
        cost of late; and where that is not known, one call alone everything that is left. None: not from here."""
        have = self.available
        if have >= reserve:
            return reserve
        if reserve < self.refused or have <= 0:
            return None
        if expected is not None:
            return expected if expected <= have else None
        return have if self.sole and not self.reserved else None

    def settle(self, amount: int, spent: int) -> None:
        """Closes a reservation. What was spent beyond it is counted in full."""
        self.reserved -= amount
        self.available += amount - spent
        self.unreported += spent
        if self.alert or not self.active:
            self.settled()

    def settled(self) -> None:
        """Lets those who wait here have what came free; without them a scarce account gets it back at once."""
        self.pool.activate(self)
        self.refused = NEVER
        if self.alert:
            self.pool.share()
            self.report(keep=bool(self.waiters))
            self.wake()

    @property
    def over(self) -> bool:
        """Whether the limit is used up, as far as known here. Only a budget that counts lets it come to that."""
        return self.free <= self.unreported

    def ask(self, reserve: int, expected: int | None) -> Ask:
        """What to ask the authority for a call that does not fit. A call whose cost nobody knows gives all of the slice
        back first, so that the authority can see whether anybody holds anything."""
        alone = self.money and expected is None and not self.reserved
        if alone or self.available < 0:
            self.report(keep=not alone)
        least = max(expected - self.available, 0) if expected is not None and expected < reserve else 0
        return {
            "need": reserve - self.available,
            "want": WANTED * reserve,
            "limit": self.limit,
            "least": least,
            "alone": alone,
            "ttl": self.pool.ttl(self.terms),
        }

    def dry(self, reserve: int, model: str) -> bool:
        """Whether asking again can't help: it was refused just now, and nothing has changed since."""
        least = self._least(reserve, model if self.money else None) or 1
        return reserve >= self.refused and least > self.available + self.free

    def look(self, grant: Grant) -> None:
        """Takes in how the account stands."""
        self.unseen = False
        self.free, self.outstanding = grant.free, grant.outstanding

    def accept(self, grant: Grant, reserve: int) -> bool:
        """Takes an answer in. Whether all that `reserve` needs was granted is remembered until something changes. False:
        it was granted in an epoch that is over, and so was never ours."""
        if grant.epoch != self.pool.authority.epoch:
            return False
        self.look(grant)
        self.taken += grant.granted
        self.available += grant.granted
        self.sole = grant.alone
        self.refused = NEVER if self.available >= reserve else min(self.refused, reserve)
        self.scarce = self.available <= reserve
        self.alert = self.scarce or self.hungry or bool(self.waiters)
        self.pool.activate(self)
        if grant.granted:
            self.touched = True
            self.state()
        return True

    def grant_locally(self, need: int) -> None:
        """A fairness limit without an authority is this worker's own: it gives itself what it has not used yet."""
        room = self.limit - self.reported - self.unreported - self.holds
        if need <= room:
            self.available += max(need, min(WANTED * need, room // 8))
            self.pool.activate(self)

    def report(self, *, keep: bool) -> None:
        """Tells the authority what was spent and, unless `keep`, gives back what is not reserved. Waits for better
        times when it can't be reached, or when it is not ready to hear of money."""
        authority = self.pool.authority
        if not authority.reachable or (self.money and not authority.epoch):
            return
        if self.available < 0 or not keep:
            self.available = 0
            self.sole = False
        holds = self.available + self.reserved
        spent, released = self.unreported, self.taken - holds
        self.since_report = 0
        if spent or released:
            self._tell(spent, released, holds)

    def _tell(self, spent: int, released: int, holds: int) -> None:
        self.unreported = 0
        self.reported += spent
        self.taken = holds
        self.free += released - spent
        self.outstanding -= released
        self.state()
        self.pool.authority.tell(self.account, spent=spent, released=released, ttl=self.pool.ttl(self.terms))

    def state(self) -> None:
        """Has it written down what a recovery would have to give back. Minutes end by themselves."""
        if self.terms.kind == "conc" or (self.money and self.terms.hard):
            ref = f"{self.account}@{self.pool.authority.epoch}"
            if ref != self.ref:
                if self.ref != self.account:
                    self.pool.on_lease(self.ref, 0)
                self.ref = ref
            self.pool.on_lease(ref, self.holds)

    def declare(self) -> None:
        """Another epoch: it knows nothing of us. The ledger, of which it was seeded, knows all but the latest costs;
        fairness limits were seeded from nothing."""
        self.taken = 0
        self.refused = NEVER
        authority = self.pool.authority
        if not authority.reachable or (self.money and not authority.epoch):
            return
        self.available = max(self.available, 0)
        total = self.reported + self.unreported
        recent = total - self.older if self.money else total
        self.reported = total - recent
        self.unreported = recent
        self._tell(recent, -self.holds, self.holds)

    def tick(self, *, hungry: bool) -> bool:
        """One round of upkeep. False when there is nothing left to look after."""
        self.refused = NEVER
        self.hungry = hungry
        self.alert = self.scarce or hungry or bool(self.waiters)
        self.idle = 0 if self.touched else self.idle + 1
        self.touched = False
        self.since_report += 1
        idle = self.idle >= IDLE_TICKS or hungry
        if (idle and self.available) or (self.unreported and (idle or self.alert or self.since_report >= REPORT_TICKS)):
            self.report(keep=not idle)
        elif self.taken != self.available + self.reserved + self.unreported:
            self.report(keep=True)
        if self.money and (self.older != self.reported + self.unreported or (self.unseen and not self.terms.hard)):
            return True
        return bool(self.waiters or self.taken or self.unreported or self.reserved or self.available)

    def mark(self) -> None:
        """Called every few seconds: what was spent before the last but one mark is in the ledger by now."""
        self.older, self.newer = self.newer, self.reported + self.unreported

    def change(self, terms: Terms) -> None:
        """New terms apply at once: less than before takes back what is not promised."""
        more = terms.limit - self.limit
        self.terms, self.limit = terms, terms.limit
        self.free += more
        self.refused = NEVER
        if more < 0:
            self.retire()
        elif more:
            self.wake()

    def retire(self) -> None:
        """Stops spending what is not promised, and has those who wait look again."""
        self.report(keep=False)
        self.available = min(self.available, 0)
        self.rouse()

    def rouse(self) -> None:
        """Calls all who wait."""
        for waiter in self.waiters:
            _call(waiter)

    def hopeless(self, amount: int, model: str) -> bool:
        """Whether waiting is no use: for money, when all that open calls hold would not be enough; for fairness, when
        no other worker could have any to give back."""
        if self.money:
            return (self._least(amount, model) or 1) > self.potential
        return amount > self.potential or not self.pool.authority.reachable or self.outstanding <= self.taken

    async def wait(self, *, reserve: int, model: str | None, seconds: float) -> None:
        """Returns when it is worth another try, or when the time is up."""
        waiter = Waiter(reserve, model)
        self.waiters[waiter] = None
        self.alert = True
        self.pool.activate(self)
        try:
            async with asyncio.timeout(seconds):
                await waiter.future
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self.waiters.pop(waiter, None)
            self.wake()
            raise
        finally:
            self.waiters.pop(waiter, None)

    def wake(self) -> None:
        """Calls those for whom there is room, in the order of their coming but past those who need more, and those for
        whom there never will be."""
        room, potential, probing = self.available + self.free, self.potential, bool(self.reserved)
        for waiter in self.waiters:
            least = self._least(waiter.reserve, waiter.model)
            if least is None:
                if potential <= 0 or not probing or waiter.reserve <= room:
                    _call(waiter)
                    probing = True
                    room -= min(waiter.reserve, max(room, 0))
            elif least > potential:
                _call(waiter)
            elif least <= room:
                _call(waiter)
                room -= least

    def _least(self, reserve: int, model: str | None) -> int | None:
        """What it takes to let such a call go; None: not known."""
        if model is None:
            return reserve
        expected = self.pool.expectation.get(model)
        return None if expected is None else min(expected, reserve)


def _call(waiter: Waiter) -> None:
    if not waiter.future.done():
        waiter.future.set_result(None)
