"""What a call must get past before it leaves: the budgets and fairness limits of its key, its principal and its teams.

A call takes from every account that applies, or from none. As long as this worker's slices last that is a loop over a
few objects; when one runs short, the authority is asked, and when money is held by calls in progress, the call waits.
`Limits` lives in one event loop: every method is to be called there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

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

Short = list[tuple[Lease, int]]


class Limits:
    """`on_lease`: see LeasePool. `clock` is Unix time."""

    def __init__(
        self,
        authority: Authority,
        *,
        clock: Callable[[], float] = time.time,
        max_wait: float = MAX_WAIT,
        on_lease: OnLease | None = None,
    ) -> None:
        self.pool = LeasePool(authority, on_lease=on_lease, clock=clock)
        self._clock = clock
        self._max_wait = max_wait
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

    def try_admit(self, key: KeyRecord, *, reserve: int | None, tokens: int, model: str) -> Admission | None:
        """Admits without waiting, or answers None: then `admit` has to. `reserve` is the most that the call can cost in
        1e-9 USD (None: not known, money is not checked), `tokens` what it counts against token limits, `model` names
        whose recent costs are comparable. Whoever gets an Admission must settle it."""
        bundle = self._by_key.get(key.id)
        if bundle is None or bundle.key is not key or self._clock() >= bundle.until:
            bundle = self._bundles.build(key)
        for lease in bundle.units:
            if lease.available < 1:
                return self._top_up(bundle, reserve=reserve, tokens=tokens, model=model)
        for lease in bundle.tokens:
            if lease.available < tokens:
                return self._top_up(bundle, reserve=reserve, tokens=tokens, model=model)
        if reserve is None:
            return Admission(self.pool, bundle, bundle.nothing, tokens, model)
        for lease in bundle.hard:
            if lease.available < reserve:
                return self._top_up(bundle, reserve=reserve, tokens=tokens, model=model)
        return Admission(self.pool, bundle, (reserve,) * len(bundle.hard), tokens, model)

    async def admit(self, key: KeyRecord, *, reserve: int | None, tokens: int, model: str) -> Admission:
        """Like `try_admit`, and waits where that helps. Raises BudgetExceeded, RateLimited or AuthorityUnavailable."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            admission = self.try_admit(key, reserve=reserve, tokens=tokens, model=model)
            if admission is not None:
                return admission
            bundle = self._by_key[key.id]
            refusal: AuthorityUnavailable | None = None
            if self.pool.local is None:
                short = self._short(bundle, reserve=reserve, tokens=tokens, model=model)
                if not await self._mine(short):
                    continue
                refusal = await self._refill(short, model=model)
                # Nothing is awaited from here on: what was granted can't be taken by another call before this one.
                admission = self._fit(bundle, reserve=reserve, tokens=tokens, model=model)
                if admission is not None:
                    return admission
            if isinstance(refusal, Settling) and loop.time() + refusal.seconds < started + self._max_wait:
                await asyncio.sleep(refusal.seconds)
            elif refusal is not None:
                raise refusal
            else:
                await self._wait(bundle, reserve=reserve, tokens=tokens, model=model, started=started)

    def _short(self, bundle: Bundle, *, reserve: int | None, tokens: int, model: str) -> Short:
        """The leases that do not suffice, and what the call would take of each."""
        short = [(lease, 1) for lease in bundle.units if lease.available < 1]
        short += [(lease, tokens) for lease in bundle.tokens if lease.available < tokens]
        if reserve is not None:
            expected = self.pool.expectation.get(model)
            short += [(lease, reserve) for lease in bundle.hard if lease.afford(reserve, expected) is None]
        return short

    def _fit(self, bundle: Bundle, *, reserve: int | None, tokens: int, model: str) -> Admission | None:
        """Admits from what is at hand, for less than the upper bound where the authority had no more."""
        if self._short(bundle, reserve=reserve, tokens=tokens, model=model):
            return None
        amounts = bundle.nothing
        if reserve is not None:
            expected = self.pool.expectation.get(model)
            amounts = tuple(lease.afford(reserve, expected) or 0 for lease in bundle.hard)
        return Admission(self.pool, bundle, amounts, tokens, model)

    def _top_up(self, bundle: Bundle, *, reserve: int | None, tokens: int, model: str) -> Admission | None:
        """The slower half of `try_admit`: an authority that answers at once is asked. Raises AuthorityUnavailable."""
        local = self.pool.local
        if local is not None:
            expected = self.pool.expectation.get(model)
            for lease, amount in self._short(bundle, reserve=reserve, tokens=tokens, model=model):
                lease.accept(local.take_now(lease.account, **lease.ask(amount, expected)), amount)
        return self._fit(bundle, reserve=reserve, tokens=tokens, model=model)

    async def _mine(self, short: Short) -> bool:
        """Whether nobody is just asking for any of these; waits until it is so."""
        busy = {lease.filling for lease, _ in short if lease.filling is not None}
        if busy:
            await asyncio.wait(busy)
        return bool(short) and not busy

    async def _refill(self, short: Short, *, model: str) -> AuthorityUnavailable | None:
        """Asks the authority for all of it at once. A fairness limit goes on without an authority, money does not: then
        the reason is returned."""
        filled = asyncio.get_running_loop().create_future()
        for lease, _ in short:
            lease.filling = filled
        try:
            expected = await self._expected(model) if any(lease.money for lease, _ in short) else None
            takes = [self._take(lease, amount, expected) for lease, amount in short]
            answers = [await takes[0]] if len(takes) == 1 else await asyncio.gather(*takes)
        finally:
            filled.set_result(None)
            for lease, _ in short:
                lease.filling = None
        refusal = None
        for (lease, amount), answer in zip(short, answers, strict=True):
            if isinstance(answer, Grant):
                lease.accept(answer, amount)
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

    async def _wait(self, bundle: Bundle, *, reserve: int | None, tokens: int, model: str, started: float) -> None:
        """Waits for the first account that does not suffice; raises if that is no use."""
        short = self._short(bundle, reserve=reserve, tokens=tokens, model=model)
        if not short:
            return
        lease, amount = short[0]
        left = started - asyncio.get_running_loop().time() + (self._max_wait if lease.money else FAIRNESS_WAIT)
        hopeless = lease.hopeless(amount, model)
        if left <= 0 or hopeless:
            raise exceeded(lease, for_now=not hopeless) if lease.money else limited(bundle, lease, self._clock())
        left = min(left, max(bundle.until - self._clock(), 0.001))
        await lease.wait(reserve=amount, model=model if lease.money else None, seconds=left)
