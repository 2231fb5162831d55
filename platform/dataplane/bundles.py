"""Which accounts a key's calls take from: those of the key, of its principal, and of its team and the team's ancestors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Protocol

from dataplane.lease_pool import LeasePool
from dataplane.leases import Lease, Terms
from dataplane.snapshot import BudgetRecord, KeyRecord, LimitRecord, TeamRecord
from dataplane.windows import PERIODS, budget_account, window_end

MINUTE = 60


class Configured(Protocol):
    """What limits read of a snapshot."""

    @property
    def budgets(self) -> tuple[BudgetRecord, ...]: ...

    @property
    def teams(self) -> Mapping[int, TeamRecord]: ...


class Bundle:
    """The leases of one key until Unix time `until`. `units` are those that a call takes one of: `rates` (spent by it)
    and `slots` (held by it); then there are `tokens`, and budgets, `hard` and `soft`."""

    __slots__ = ("_costs", "_within", "era", "hard", "key", "nothing", "rates", "slots", "soft", "tokens", "units", "until")

    def __init__(self, key: KeyRecord, leases: list[Lease], era: int) -> None:
        def of(kind: str, *, hard: bool = True) -> tuple[Lease, ...]:
            return tuple(lease for lease in leases if lease.terms.kind == kind and lease.terms.hard is hard)

        self.key = key
        self.era = era
        self.rates, self.slots, self.tokens = of("rpm"), of("conc"), of("tpm")
        self.units = self.rates + self.slots
        self.hard, self.soft = of("budget"), of("budget", hard=False)
        self.nothing = (0,) * len(self.hard)
        self.until = min((lease.terms.ends for lease in leases if lease.terms.ends is not None), default=inf)
        self._within: Bundle | None = None
        self._costs: Bundle | None = None

    @property
    def within(self) -> Bundle:
        """What a part of a call takes from that holds its slots already."""
        if self._within is None:
            self._within = Bundle(self.key, [*self.rates, *self.tokens, *self.hard, *self.soft], self.era)
        return self._within

    @property
    def costs(self) -> Bundle:
        """What is counted of work that was not asked for: money and tokens."""
        if self._costs is None:
            self._costs = Bundle(self.key, [*self.tokens, *self.hard, *self.soft], self.era)
        return self._costs


class Bundles:
    """Builds them once per key and window, over the budgets and teams of the present snapshot."""

    def __init__(self, pool: LeasePool, *, clock: Callable[[], float] = time.time) -> None:
        self.by_key: dict[int, Bundle] = {}
        self._pool = pool
        self._clock = clock
        self._era = 0
        self._teams: Mapping[int, TeamRecord] = {}
        self._records: tuple[BudgetRecord, ...] = ()
        self._budgets: dict[str, list[BudgetRecord]] = {}
        pool.swept = self.by_key.clear

    def configure(self, snapshot: Configured) -> None:
        """Takes over budgets and teams. Slices of accounts that still exist are kept, under the new limits at once.
        Raises ValueError for a period that this version does not know, and keeps what it has."""
        if snapshot.budgets is self._records and snapshot.teams is self._teams:
            return
        if unknown := {record.period for record in snapshot.budgets} - set(PERIODS):
            raise ValueError(f"a budget's period is one of {', '.join(PERIODS)}, not {', '.join(sorted(unknown))}")
        self._records, self._teams, self._budgets = snapshot.budgets, snapshot.teams, {}
        for record in snapshot.budgets:
            self._budgets.setdefault(record.subject, []).append(record)
        self.by_key.clear()
        self._era += 1
        self._renew()

    def _renew(self) -> None:
        """Leases of keys' own fairness limits are left alone: they are part of the key, and follow when it is used."""
        now = self._clock()
        present: dict[str, Terms] = {}
        for record in self._records:
            account, terms = _budget(record, now)
            present[account] = terms
        for team in self._teams.values():
            present.update(_fairness(f"team:{team.id}", team.limits, now))
        for lease in self._pool.known():
            found = present.get(lease.account)
            if found is not None:
                if lease.terms != found:
                    lease.change(found)
            elif lease.money or not lease.terms.subject.startswith("key:"):
                self._pool.forget(lease)

    def current(self, bundle: Bundle) -> bool:
        """Whether a key's calls still take from these accounts."""
        return bundle.era == self._era and self._clock() < bundle.until

    def build(self, key: KeyRecord) -> Bundle:
        now = self._clock()
        leases = [self._pool.lease(account, terms) for account, terms in self._accounts(key, now)]
        bundle = self.by_key[key.id] = Bundle(key, leases, self._era)
        for lease in bundle.soft:
            lease.unseen = True
            self._pool.activate(lease)
        return bundle

    def _accounts(self, key: KeyRecord, now: float) -> Iterator[tuple[str, Terms]]:
        principal = key.principal
        subjects = [key.ref, principal.ref]
        yield from _fairness(key.ref, key.limits, now).items()
        if principal.team is not None:
            record = self._teams.get(principal.team)
            for team in record.path if record is not None else (principal.team,):
                subjects.append(f"team:{team}")
                if (ancestor := self._teams.get(team)) is not None:
                    yield from _fairness(f"team:{team}", ancestor.limits, now).items()
        for subject in subjects:
            for budget in self._budgets.get(subject, ()):
                yield _budget(budget, now)


def _budget(record: BudgetRecord, now: float) -> tuple[str, Terms]:
    return budget_account(record.id, record.period, now), Terms(
        kind="budget",
        subject=record.subject,
        limit=record.limit,
        ends=window_end(record.period, now),
        period=record.period,
        hard=record.mode != "soft",
    )


def _fairness(subject: str, limits: LimitRecord | None, now: float) -> dict[str, Terms]:
    """The accounts of a subject's fairness limits in the present calendar minute."""
    if limits is None:
        return {}
    minute = int(now // MINUTE)
    ends = float((minute + 1) * MINUTE)
    found: dict[str, Terms] = {}
    if limits.rpm is not None:
        found[f"rpm:{subject}:{minute}"] = Terms("rpm", subject, limits.rpm, ends=ends)
    if limits.tpm is not None:
        found[f"tpm:{subject}:{minute}"] = Terms("tpm", subject, limits.tpm, ends=ends)
    if limits.concurrency is not None:
        found[f"conc:{subject}"] = Terms("conc", subject, limits.concurrency)
    return found
