"""Keys, teams and budgets for the tests of limits: a key of user 1 in the team `research` (2) of the organization (3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dataplane.authority import LocalAuthority
from dataplane.limits import Limits
from dataplane.snapshot import BudgetRecord, KeyRecord, LimitRecord, PrincipalRecord, TeamRecord

NOON = 1_795_348_830.0
"""A fixed time, half a minute into a minute: 2026-11-22T12:00:30Z."""


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """What limits read of a snapshot."""

    budgets: tuple[BudgetRecord, ...] = ()
    teams: dict[int, TeamRecord] = field(default_factory=dict)


def key(key_id: int = 1, **limits: int) -> KeyRecord:
    principal = PrincipalRecord(ref="user:1", name="ada", kind="person", team=2)
    return KeyRecord(
        id=key_id, name="ada's", prefix="abcdefgh", digest=bytes(32), principal=principal, limits=LimitRecord(**limits) if limits else None
    )


def budget(limit: int, *, subject: str = "team:2", budget_id: int = 1, period: str = "month", mode: str = "hard") -> BudgetRecord:
    return BudgetRecord(id=budget_id, subject=subject, limit=limit, period=period, mode=mode)


def house(*budgets: BudgetRecord, team: LimitRecord | None = None, organization: LimitRecord | None = None) -> House:
    research = TeamRecord(id=2, name="research", path=(2, 3), limits=team)
    return House(budgets=budgets, teams={2: research, 3: TeamRecord(id=3, name="acme", path=(3,), limits=organization)})


async def call(limits: Limits, caller: KeyRecord, *, reserve: int | None, cost: int) -> int:
    """Admits, lets others run, settles. Returns what it cost."""
    admission = await limits.admit(caller, reserve=reserve, tokens=1, model="m")
    for _ in range(3):
        await asyncio.sleep(0)
    admission.settle(cost, 1)
    return cost


async def until(condition: Callable[[], object], *, within: float = 5.0) -> None:
    """Waits for a condition, with a bound."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.002)


CENT = 10_000_000


def limits_of(setup: object, *, clock: Clock | None = None, max_wait: float = 10.0) -> Limits:
    limits = Limits(LocalAuthority(), clock=clock or Clock(), max_wait=max_wait)
    limits.configure(setup)
    return limits


def admit(limits: Limits, caller: KeyRecord, *, reserve: int | None = CENT, tokens: int = 1):
    """What a caller gets who can't wait: the admission or the refusal."""
    admission = limits.try_admit(caller, reserve=reserve, tokens=tokens, model="m")
    if admission is None:
        return asyncio.run(limits.admit(caller, reserve=reserve, tokens=tokens, model="m"))
    return admission


def left(limits: Limits, account: str, limit: int) -> int:
    """What could still be spent of an account by anyone."""
    for lease in limits.pool.known():
        lease.report(keep=False)
    standing = limits.pool.local.peek_now(account, limit=limit)
    return standing.free
