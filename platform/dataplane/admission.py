"""A call that was let in, and the refusals of those that were not."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING

from dataplane.errors import BudgetExceeded, RateLimited
from dataplane.leases import Lease
from dataplane.money import from_nano, to_text

if TYPE_CHECKING:
    from dataplane.bundles import Bundle
    from dataplane.lease_pool import LeasePool

Headers = tuple[tuple[str, str], ...]


class Admission:
    """What a call has reserved, until it is settled. Making one is what takes: all of its leases must suffice."""

    __slots__ = ("_amounts", "_bundle", "_model", "_open", "_pool", "_tokens")

    def __init__(self, pool: LeasePool, bundle: Bundle, amounts: tuple[int, ...], tokens: int, model: str) -> None:
        self._pool, self._bundle, self._amounts, self._tokens, self._model = pool, bundle, amounts, tokens, model
        self._open = True
        for lease in bundle.rates:
            lease.available -= 1
            lease.unreported += 1
            lease.touched = True
        for lease in bundle.slots:
            lease.available -= 1
            lease.reserved += 1
            lease.touched = True
        for lease in bundle.tokens:
            lease.available -= tokens
            lease.reserved += tokens
            lease.touched = True
        for lease, amount in zip(bundle.hard, amounts, strict=True):
            lease.available -= amount
            lease.reserved += amount
            lease.touched = True

    def settle(self, cost_nano: int | None, tokens: int) -> None:
        """What it really cost (None or 0: nothing) and counted. Only the first time counts."""
        if not self._open:
            return
        self._open = False
        bundle, cost = self._bundle, cost_nano or 0
        if cost:
            self._pool.expectation.record(self._model, cost)
        for lease in bundle.slots:
            lease.settle(1, 0)
        for lease in bundle.tokens:
            lease.settle(self._tokens, tokens)
        for lease, amount in zip(bundle.hard, self._amounts, strict=True):
            lease.settle(amount, cost)
        for lease in bundle.soft:
            lease.settle(0, cost)

    @property
    def reserved(self) -> int:
        """The most that was reserved of a budget, in 1e-9 USD: less than asked for where a budget was running out."""
        return max(self._amounts, default=0)

    def covers(self, amount: int) -> bool:
        """Whether so much (1e-9 USD) is reserved of every hard budget, and not less since one is running out."""
        return all(reserved >= amount for reserved in self._amounts)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The budgets that it was reserved from, as `account@epoch`."""
        return tuple(lease.ref for lease in self._bundle.hard)

    @property
    def over_soft(self) -> bool:
        """Whether a budget that only counts is used up."""
        return any(lease.over for lease in self._bundle.soft)

    def headers(self) -> Headers:
        """x-ratelimit-… of the request and token limits that are closest to their end; () without any."""
        return _headers(self._bundle, self._pool.clock())


def exceeded(lease: Lease, *, for_now: bool) -> BudgetExceeded:
    """402, naming whose budget it is, how much, and when there is more. `for_now`: open calls might leave enough."""
    terms = lease.terms
    amount = to_text(from_nano(terms.limit))
    if terms.ends is None:
        which, renewal = f"budget of {terms.subject}, {amount} USD in total", "it does not renew"
    else:
        renews = datetime.fromtimestamp(terms.ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        which, renewal = f"budget of {terms.subject}, {amount} USD per {terms.period}", f"it renews at {renews}"
    if for_now:
        return BudgetExceeded(f"What is left of the {which}, is held by calls in progress; {renewal}.")
    return BudgetExceeded(f"The {which}, does not cover this call; {renewal}.")


_WHAT = {"rpm": "requests per minute", "tpm": "tokens per minute", "conc": "calls at a time"}


def limited(bundle: Bundle, lease: Lease, now: float) -> RateLimited:
    """429, with when to come again: at the window's end, or for calls at a time in a second."""
    terms = lease.terms
    message = f"The limit of {terms.subject}, {terms.limit} {_WHAT[terms.kind]}, is reached."
    wait = 1.0 if terms.ends is None else max(terms.ends - now, 0.0)
    return RateLimited(message, retry_after=wait, headers=_headers(bundle, now))


def _headers(bundle: Bundle, now: float) -> Headers:
    return (*_three("requests", bundle.rates, now), *_three("tokens", bundle.tokens, now))


def _three(what: str, leases: tuple[Lease, ...], now: float) -> Headers:
    if not leases:
        return ()
    closest = min(leases, key=_remaining)
    reset = ceil(max((closest.terms.ends or now) - now, 0.0))
    return (
        (f"x-ratelimit-limit-{what}", str(closest.limit)),
        (f"x-ratelimit-remaining-{what}", str(closest.remaining)),
        (f"x-ratelimit-reset-{what}", "1m0s" if reset >= 60 else f"{reset}s"),
    )


def _remaining(lease: Lease) -> int:
    return lease.remaining
