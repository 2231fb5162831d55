"""What a call must get past before it leaves: the budgets and fairness limits of its key, its principal and its teams.

A call takes from every account that applies, or from none. As long as this worker's slices last that is a loop over a
few objects; when one runs short, the authority is asked, and when money is held by calls in progress, the call waits.
`Limits` lives in one event loop: every method is to be called there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from dataplane.admission import Admission, exceeded, limited
from dataplane.authority import Authority, Grant, Settling
from dataplane.bundles import Bundle, Bundles, Configured
from dataplane.errors import AuthorityUnavailable
from dataplane.expectation import Expectation
from dataplane.lease_pool import LeasePool, OnLease
from dataplane.leases import Lease
from dataplane.snapshot import KeyRecord
from dataplane.windows import budget_account, remembered, window, window_end

__all__ = ["Admission", "Expectation", "Limits", "budget_account", "remembered", "window", "window_end"]

MAX_WAIT = 10.0
"""Seconds that a call waits at the most for money that calls in progress hold."""

FAIRNESS_WAIT = 0.15
"""Seconds that a call waits for what other workers hold of a fairness limit: they give idle slices back in less."""


class Demand(NamedTuple):
    """What a call asks for, as `try_admit` says."""

    reserve: int | None
    tokens: int
    model: str


Short = list[tuple[Lease, int]]


class Limits:
    """`on_lease`: see LeasePool. `clock` is Unix time."""

    def __init__(
        self,
        authority: Authority,
        *,
        clock: Callable[[], float] = time.time,
        max_wait: float = MAX_WAIT,
        fairness_wait: float = FAIRNESS_WAIT,
        on_lease: OnLease | None = None,
    ) -> None:
        self.pool = LeasePool(authority, on_lease=on_lease, clock=clock)
        self._clock = clock
        self._max_wait = max_wait
        self._fairness_wait = fairness_wait
        self._bundles = Bundles(self.pool, clock=clock)
        self._by_key = self._bundles.by_key

    def configure(self, snapshot: Configured) -> None:
        """Takes over budgets and teams, on every change of the snapshot. Raises ValueError, see Bundles."""
        self._bundles.configure(snapshot)

    async def start(self) -> None:
        """Begins to look after the slices. Idempotent."""
        await self.pool.start()

    async def close(self) -> None:
        """Gives everything back that open calls do not hold."""
        await self.pool.close()

    def held(self) -> dict[str, int]:
        """What this worker may still spend, by account, open reservations included."""
        return self.pool.held()

    def try_admit(self, key: KeyRecord, *, reserve: int | None, tokens: int, model: str, within: bool = False) -> Admission | None:
        """Admits without waiting, or answers None: then `admit` has to. `reserve` is the most that the call can cost in
        1e-9 USD (None: not known, money is not checked), `tokens` what it counts against token limits, `model` names
        whose recent costs are comparable. `within`: it is part of a call that was admitted and holds one of the calls at
        a time. Whoever gets an Admission must settle it."""
        bundle = self._bundle(key)
        if within:
            bundle = bundle.within
        for lease in bundle.units:
            if lease.available < 1:
                return self._top_up(bundle, Demand(reserve, tokens, model))
        for lease in bundle.tokens:
            if lease.available < tokens:
                return self._top_up(bundle, Demand(reserve, tokens, model))
        if reserve is None:
            return Admission(self.pool, bundle, bundle.nothing, tokens, model)
        for lease in bundle.hard:
            if lease.available < reserve:
                return self._top_up(bundle, Demand(reserve, tokens, model))
        return Admission(self.pool, bundle, (reserve,) * len(bundle.hard), tokens, model)

    def owe(self, key: KeyRecord, *, model: str) -> Admission:
        """For work that an upstream has begun by itself: nothing is reserved and nobody can refuse it any more, but what it
        is settled with counts against budgets and token limits."""
        bundle = self._bundle(key).costs
        return Admission(self.pool, bundle, bundle.nothing, 0, model)

    def _bundle(self, key: KeyRecord) -> Bundle:
        bundle = self._by_key.get(key.id)
        if bundle is None or bundle.key is not key or self._clock() >= bundle.until:
            bundle = self._bundles.build(key)
        return bundle

    async def admit(self, key: KeyRecord, *, reserve: int | None, tokens: int, model: str, within: bool = False) -> Admission:
        """Like `try_admit`, and waits where that helps. Raises BudgetExceeded, RateLimited or AuthorityUnavailable."""
        clock = asyncio.get_running_loop().time
        demand, started = Demand(reserve, tokens, model), clock()
        while not self.pool.closed:
            admission = self.try_admit(key, reserve=reserve, tokens=tokens, model=model, within=within)
            if admission is not None:
                return admission
            bundle = self._by_key[key.id]
            if within:
                bundle = bundle.within
            try:
                admission = await self._ask(bundle, demand)
                if admission is not None:
                    return admission
            except Settling as error:
                if clock() + error.seconds > started + self._max_wait:
                    raise
                await asyncio.sleep(error.seconds)
                continue
            short = self._short(bundle, demand)
            if short and self._bundles.current(bundle):
                await self._wait(bundle, *short[0], model=model, waited=clock() - started)
            else:
                await asyncio.sleep(0)
        raise AuthorityUnavailable("The house is shutting down.")

    def _short(self, bundle: Bundle, demand: Demand) -> Short:
        """The leases that do not suffice, and what the call would take of each."""
        short = [(lease, 1) for lease in bundle.units if lease.available < 1]
        short += [(lease, demand.tokens) for lease in bundle.tokens if lease.available < demand.tokens]
        if demand.reserve is not None:
            expected = self.pool.expectation.get(demand.model)
            short += [(lease, demand.reserve) for lease in bundle.hard if lease.afford(demand.reserve, expected) is None]
        return short

    def _fit(self, bundle: Bundle, demand: Demand) -> Admission | None:
        """Admits from what is at hand, for less than the upper bound where the authority had no more."""
        if self._short(bundle, demand):
            return None
        amounts = bundle.nothing
        if demand.reserve is not None:
            expected = self.pool.expectation.get(demand.model)
            amounts = tuple(lease.afford(demand.reserve, expected) or 0 for lease in bundle.hard)
        return Admission(self.pool, bundle, amounts, demand.tokens, demand.model)

    def _top_up(self, bundle: Bundle, demand: Demand) -> Admission | None:
        """The slower half of `try_admit`: an authority that answers at once is asked. Raises AuthorityUnavailable."""
        local = self.pool.local
        if local is not None:
            expected = self.pool.expectation.get(demand.model)
            for lease, amount in self._short(bundle, demand):
                lease.accept(local.take_now(lease.account, **lease.ask(amount, expected)), amount)
        return self._fit(bundle, demand)

    async def _ask(self, bundle: Bundle, demand: Demand) -> Admission | None:
        """Asks an authority that is elsewhere until the call fits, or until all that it lacks was refused: None. Callers
        who lack the same ask one after the other, so that one slice serves many."""
        while self.pool.local is None:
            short = self._short(bundle, demand)
            if not short:
                return self._fit(bundle, demand)
            async with short[0][0].turn:
                short = self._short(bundle, demand)
                refusal = await self._refill([(lease, amount) for lease, amount in short if not lease.dry(amount, demand.model)], demand)
                # Nothing is awaited until the call has taken: what was granted to it is not for others.
                admission = self._fit(bundle, demand)
            if admission is not None:
                return admission
            if refusal is not None:
                raise refusal
            asked = {lease for lease, _ in short}
            if asked.issuperset(lease for lease, _ in self._short(bundle, demand)):
                return None
        return None

    async def _refill(self, short: Short, demand: Demand) -> AuthorityUnavailable | None:
        """Asks for all of it at once. A fairness limit goes on without an authority; money does not, and then the
        reason is returned."""
        refusal: AuthorityUnavailable | None = None
        expected = await self._expected(demand.model) if any(lease.money for lease, _ in short) else None
        answers = await asyncio.gather(*(self._take(lease, amount, expected) for lease, amount in short))
        for (lease, amount), answer in zip(short, answers, strict=True):
            if isinstance(answer, Grant):
                if not lease.accept(answer, amount):
                    refusal = Settling(0.0)
            elif lease.money:
                refusal = answer
            else:
                lease.grant_locally(amount)
        return refusal

    async def _expected(self, model: str) -> int | None:
        try:
            return await self.pool.learn(model)
        except AuthorityUnavailable:
            return None

    async def _take(self, lease: Lease, amount: int, expected: int | None) -> Grant | AuthorityUnavailable:
        try:
            return await self.pool.authority.take(lease.account, **lease.ask(amount, expected))
        except AuthorityUnavailable as error:
            return error

    async def _wait(self, bundle: Bundle, lease: Lease, amount: int, *, model: str, waited: float) -> None:
        """Waits for an account that does not suffice; raises if that is no use."""
        left = (self._max_wait if lease.money else self._fairness_wait) - waited
        hopeless = lease.hopeless(amount, model)
        if left <= 0 or hopeless:
            raise exceeded(lease, for_now=not hopeless) if lease.money else limited(bundle, lease, self._clock())
        left = min(left, max(bundle.until - self._clock(), 0.001))
        await lease.wait(reserve=amount, model=model if lease.money else None, seconds=left)
