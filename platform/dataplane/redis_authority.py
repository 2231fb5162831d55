"""The authority of a house of several processes: accounts in Redis, changed by one script (`authority.lua`).

An epoch lasts as long as one Redis process does, at the most: whether it was flushed or came back with an older copy
of itself, its counts are not trusted until the control plane has seeded them again (`reseed`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from math import ceil

from redis.exceptions import RedisError

from dataplane.authority import Grant, Seed, Settling, split
from dataplane.errors import AuthorityUnavailable
from dataplane.redis_link import AWAY, Link, Operation

TIMEOUT = 0.25
GRACE = 1.0
"""Seconds of a new epoch in which money is not granted yet: longer than any worker takes to declare what it holds."""


class RedisAuthority:
    """Keys: `<prefix>:acct:<account>`, `<prefix>:epoch`, `<prefix>:hungry`, `<prefix>:expect:<model>` and
    `<prefix>:link:<worker>`. One instance belongs to one event loop."""

    def __init__(self, url: str, *, prefix: str = "ch", timeout: float = TIMEOUT, grace: float = GRACE) -> None:
        self.on_epoch: Callable[[], None] | None = None
        self._link = Link(url, prefix=prefix, timeout=timeout, grace=grace)
        self._link.returned = self._return
        self._link.moved = self._moved
        self._prefix = prefix

    @property
    def epoch(self) -> str:
        return self._link.epoch

    @property
    def reachable(self) -> bool:
        return self._link.reachable

    async def take(
        self, account: str, *, need: int, want: int, limit: int, least: int = 0, alone: bool = False, ttl: float | None = None
    ) -> Grant:
        args = (str(need), str(want), str(limit), str(least), "1" if alone else "0")
        operation = self._operation("take", account, args, ttl=ttl)
        result = await self._link.ask(operation)
        if result[0] == "unseeded":
            raise AuthorityUnavailable("Budgets can not be checked: the authority was emptied and is not seeded yet.")
        if result[0] == "settling":
            raise Settling(int(result[1]) / 1000)
        return _grant(result)

    def tell(self, account: str, *, spent: int, released: int, ttl: float | None = None) -> None:
        self._link.post(self._operation("tell", account, (str(spent), str(-released), self.epoch), ttl=ttl, epoch=self.epoch))

    async def peek(self, account: str, *, limit: int) -> Grant:
        return _grant(await self._link.ask(self._operation("peek", account, (str(limit),))))

    async def hungry(self) -> frozenset[str]:
        return frozenset(await self._link.ask(Operation("hungry", f"{self._prefix}:hungry", "", ())))

    def learn(self, model: str, cost: int) -> None:
        self._link.post(Operation("learn", f"{self._prefix}:expect:{model}", "", (str(cost),)))

    async def expected(self, model: str) -> int | None:
        result = await self._link.ask(Operation("expected", f"{self._prefix}:expect:{model}", "", ()))
        return int(result[0]) or None

    async def settle(self, account: str, spent: int) -> None:
        await self._state(account, spent=spent, released=spent)

    async def give_back(self, account: str, amount: int) -> None:
        await self._state(account, spent=0, released=amount)

    async def seed(self, account: str, spent: int, *, ttl: float | None = None) -> None:
        await self._link.ask(self._operation("seed", account, (str(spent),), ttl=ttl), urgent=False)

    async def reseed(self, seeds: Iterable[Seed]) -> str:
        """One transaction. For the control plane, when `health` is False although Redis answers."""
        link, epoch = self._link, uuid.uuid4().hex[:12]
        try:
            run = await link.server_run()
            seconds, micros = await link.client.time()
            async with link.client.pipeline(transaction=True) as pipe:
                for seed in seeds:
                    key = self._key(seed.account)
                    pipe.delete(key)
                    pipe.hset(key, mapping={"e": epoch, "settled": seed.spent, "taken": 0})
                    if seed.ttl is not None:
                        pipe.pexpire(key, ceil(seed.ttl * 1000))
                pipe.hset(f"{self._prefix}:epoch", mapping={"id": epoch, "run": run, "at": seconds * 1000 + micros // 1000})
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise AuthorityUnavailable(AWAY) from error
        return epoch

    async def health(self) -> bool:
        try:
            run = await self._link.server_run()
            held = await self._link.client.hmget(f"{self._prefix}:epoch", "id", "run")
        except (RedisError, OSError, TimeoutError):
            return False
        return bool(held[0]) and held[1] == run.encode()

    async def drain(self) -> None:
        await self._link.drain()

    async def close(self) -> None:
        await self._link.close()

    async def _state(self, account: str, *, spent: int, released: int) -> None:
        name, epoch = split(account)
        args = (str(spent), str(-released), "*" if epoch is None else epoch)
        await self._link.ask(self._operation("tell", name, args), urgent=False)

    def _key(self, account: str) -> str:
        return f"{self._prefix}:acct:{account}"

    def _operation(
        self, kind: str, account: str, args: tuple[str, ...], *, ttl: float | None = None, epoch: str | None = None
    ) -> Operation:
        return Operation(kind, self._key(account), account, args, ttl="" if ttl is None else str(ceil(ttl * 1000)), epoch=epoch)

    def _moved(self) -> None:
        if self.on_epoch is not None:
            self.on_epoch()

    def _return(self, operation: Operation, result: list[str]) -> None:
        """A slice came after its taker was told that there is no authority, or was cancelled: it goes back."""
        if operation.kind == "take" and len(result) == 5 and int(result[0]) > 0:
            args = ("0", str(-int(result[0])), self.epoch)
            self._link.post(Operation("tell", operation.key, operation.account, args, ttl=operation.ttl, epoch=self.epoch))


def _grant(result: list[str]) -> Grant:
    granted, free, outstanding, alone, epoch = result
    return Grant(int(granted), int(free), int(outstanding), alone == "1", epoch)
