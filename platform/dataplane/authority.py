"""Who counts: the one place per account that says how much of a limit is still free.

An account is a limit in one window, `budget:7:2026-11`, `rpm:team:3:29384210`, `conc:key:5`. Its authority keeps two
integers of it: `taken`, what workers hold as slices, and `settled`, what was spent. `free = limit - taken - settled`.
Money is in 1e-9 USD. A worker takes before it spends, so no number of callers can spend more than the limit.

An *epoch* is the time in which these integers are whole. It begins when they were seeded from the ledger. Outside of
an epoch money can't be taken; slices of an earlier epoch are declared anew by those who hold them.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from dataplane.errors import AuthorityUnavailable

MONEY = "budget:"
"""Accounts of this kind need an epoch: fairness limits are counted without one."""


class Grant(NamedTuple):
    """An authority's answer: `free` and `outstanding` as they are after it. `alone`: nobody else holds anything.
    `epoch` is the one it was given in."""

    granted: int
    free: int
    outstanding: int
    alone: bool = False
    epoch: str = ""


class Seed(NamedTuple):
    """What the ledger says was spent on an account; `ttl` in seconds."""

    account: str
    spent: int
    ttl: float | None = None


class Settling(AuthorityUnavailable):
    """An epoch has just begun: others are still declaring what they hold. Over in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("Budgets are being put together again after an interruption.")
        self.seconds = seconds


class Authority(Protocol):
    """`take`, `peek` and `expected` raise AuthorityUnavailable when they can't be answered."""

    on_epoch: Callable[[], None] | None
    """Called in the loop when another epoch has begun or the present one has ended."""

    @property
    def epoch(self) -> str:
        """Name of the present epoch; "" outside of one."""

    @property
    def reachable(self) -> bool:
        """Whether the last attempt to reach it worked."""

    async def take(
        self, account: str, *, need: int, want: int, limit: int, least: int = 0, alone: bool = False, ttl: float | None = None
    ) -> Grant:
        """Grants max(need, min(want, free // 8)) if `need` is free; else `least` (if not 0) if that is; else, if
        `alone` and nobody holds anything, all that is left; else nothing, and then the account is marked hungry."""

    def tell(self, account: str, *, spent: int, released: int, ttl: float | None = None) -> None:
        """Of what was held, `released` is not any more; `spent` was spent. Applied once and in order with takes. Void
        when the epoch changes first, for the holder declares what it holds then."""

    async def peek(self, account: str, *, limit: int) -> Grant:
        """How it stands, for one who waits: keeps the account hungry."""

    async def hungry(self) -> frozenset[str]:
        """Accounts that somebody waits for: whoever has idle slices of them gives them back."""

    def learn(self, model: str, cost: int) -> None:
        """Shares what a call really cost."""

    async def expected(self, model: str) -> int | None:
        """The dearest of the recent costs that any worker has shared."""

    async def settle(self, account: str, spent: int) -> None:
        """For others than holders: of what is outstanding, this was spent. `account` may carry `@epoch`; if that is
        over, nothing happens. Returns when it is applied."""

    async def give_back(self, account: str, amount: int) -> None:
        """For others than holders: of what is outstanding, this was not spent. Like `settle` else."""

    async def seed(self, account: str, spent: int, *, ttl: float | None = None) -> None:
        """States what was spent of an account that is not known yet; does nothing if it is."""

    async def reseed(self, seeds: Iterable[Seed]) -> str:
        """Begins an epoch: all earlier counts are void, these are what was spent. Returns its name."""

    async def health(self) -> bool:
        """Whether it answers and is inside an epoch."""

    async def drain(self) -> None:
        """Returns when all that was told is applied, or can't be."""

    async def close(self) -> None: ...


class _Account:
    __slots__ = ("expires", "settled", "taken")

    def __init__(self, expires: float | None) -> None:
        self.taken = 0
        self.settled = 0
        self.expires = expires


def split(account: str) -> tuple[str, str | None]:
    """The account and the epoch of a reference `account@epoch`; None when it names no epoch."""
    name, separator, epoch = account.partition("@")
    return name, epoch if separator else None


class LocalAuthority:
    """The authority of a house that runs in one process. `take_now`, `tell` and `peek_now` answer without waiting.

    With `seeded=False` no money can be taken before `reseed`. Any thread may call it."""

    PURGE_FROM = 4096

    def __init__(self, *, seeded: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.on_epoch: Callable[[], None] | None = None
        self.epoch = uuid.uuid4().hex[:12] if seeded else ""
        self.reachable = True
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._purge_at = self.PURGE_FROM
        self._lock = threading.Lock()

    def _open(self, account: str, ttl: float | None) -> _Account:
        """The account; forgets expired ones whenever their number has doubled."""
        held = self._accounts.get(account)
        if held is None:
            if len(self._accounts) >= self._purge_at:
                now = self._clock()
                self._accounts = {name: kept for name, kept in self._accounts.items() if kept.expires is None or kept.expires > now}
                self._purge_at = max(self.PURGE_FROM, 2 * len(self._accounts))
            held = self._accounts[account] = _Account(None if ttl is None else self._clock() + ttl)
        return held

    def take_now(
        self, account: str, *, need: int, want: int, limit: int, least: int = 0, alone: bool = False, ttl: float | None = None
    ) -> Grant:
        """`take`, at once."""
        if not self.epoch and account.startswith(MONEY):
            raise AuthorityUnavailable("Budgets can not be checked: what was spent has not been read yet.")
        with self._lock:
            held = self._open(account, ttl)
            free = limit - held.taken - held.settled
            granted, sole = 0, False
            if need <= free:
                granted = max(need, min(want, free // 8))
            elif 0 < least <= free:
                granted = least
            elif alone and held.taken <= 0 and free > 0:
                granted, sole = free, True
            held.taken += granted
            return Grant(granted, free - granted, held.taken, sole, self.epoch)

    async def take(
        self, account: str, *, need: int, want: int, limit: int, least: int = 0, alone: bool = False, ttl: float | None = None
    ) -> Grant:
        return self.take_now(account, need=need, want=want, limit=limit, least=least, alone=alone, ttl=ttl)

    def tell(self, account: str, *, spent: int, released: int, ttl: float | None = None) -> None:
        with self._lock:
            held = self._open(account, ttl)
            held.taken = max(0, held.taken - released)
            held.settled += spent

    def peek_now(self, account: str, *, limit: int) -> Grant:
        with self._lock:
            held = self._accounts.get(account)
            if held is None:
                return Grant(0, limit, 0)
            return Grant(0, limit - held.taken - held.settled, held.taken)

    async def peek(self, account: str, *, limit: int) -> Grant:
        return self.peek_now(account, limit=limit)

    async def hungry(self) -> frozenset[str]:
        """Nobody: there is one worker, and it knows who waits."""
        return frozenset()

    def learn(self, model: str, cost: int) -> None:
        """Nothing to share with."""

    async def expected(self, model: str) -> int | None:
        return None

    async def settle(self, account: str, spent: int) -> None:
        name, epoch = split(account)
        if epoch is None or epoch == self.epoch:
            self.tell(name, spent=spent, released=spent)

    async def give_back(self, account: str, amount: int) -> None:
        name, epoch = split(account)
        if epoch is None or epoch == self.epoch:
            self.tell(name, spent=0, released=amount)

    async def seed(self, account: str, spent: int, *, ttl: float | None = None) -> None:
        with self._lock:
            if account not in self._accounts:
                self._open(account, ttl).settled = spent

    async def reseed(self, seeds: Iterable[Seed]) -> str:
        with self._lock:
            self._accounts = {}
            for seed in seeds:
                self._open(seed.account, seed.ttl).settled = seed.spent
            self.epoch = uuid.uuid4().hex[:12]
        if self.on_epoch is not None:
            self.on_epoch()
        return self.epoch

    async def health(self) -> bool:
        return bool(self.epoch)

    async def drain(self) -> None:
        """Everything is applied when it is told."""

    async def close(self) -> None:
        """Holds nothing that needs closing."""
