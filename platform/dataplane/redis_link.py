"""A worker's line to the accounts in Redis: operations in order, in batches, each applied exactly once.

One batch is under way at a time; what is asked meanwhile makes up the next. A batch whose answer got lost is sent again
under its number until it is answered, so that no amount is ever counted twice or forgotten. While Redis can't be
reached nobody waits for it: what is asked then is refused at once, and the line finds back by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from dataplane.errors import AuthorityUnavailable

log = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("authority.lua").read_bytes()
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()
BATCH = 256
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
AWAY = "The budget authority can not be reached."


class Operation:
    """`future` None: nobody waits. `urgent`: who waits is told when Redis is away, and what it may still grant later is
    handed to `returned`. `epoch`: void in another one; None: good in any."""

    __slots__ = ("account", "args", "epoch", "future", "key", "kind", "ttl", "urgent")

    def __init__(self, kind: str, key: str, account: str, args: tuple[str, ...], *, ttl: str = "", epoch: str | None = None) -> None:
        self.kind, self.key, self.account, self.args, self.ttl, self.epoch = kind, key, account, args, ttl, epoch
        self.future: asyncio.Future[list[str]] | None = None
        self.urgent = False

    def arguments(self) -> tuple[str, ...]:
        return (self.kind, self.account, self.ttl, *self.args, *("",) * (5 - len(self.args)))

    def answer(self, result: list[str]) -> bool:
        """False when nobody is there to take it."""
        if self.future is None:
            return True
        if self.future.done():
            return False
        self.future.set_result(result)
        return True

    def fail(self) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_exception(AuthorityUnavailable(AWAY))


class Batch:
    __slots__ = ("operations", "seq")

    def __init__(self, seq: int, operations: list[Operation]) -> None:
        self.seq, self.operations = seq, operations


class Reply(msgspec.Struct):
    """`moved`: the batch was made in another epoch than the present one and nothing of it was applied."""

    epoch: str
    results: list[list[str] | dict[str, str]] = []
    moved: bool = False


_decode = msgspec.json.Decoder(Reply).decode


class Link:
    """`returned` gets operations whose result nobody takes, with that result. `moved` is called when the epoch has
    changed, before anything is sent in the new one. `timeout` bounds the two attempts after
    which Redis is away, connecting included."""

    def __init__(self, url: str, *, prefix: str, timeout: float, grace: float) -> None:
        self.prefix = prefix
        self.epoch = ""
        self.reachable = True
        self.returned: Callable[[Operation, list[str]], None] = lambda operation, result: None
        self.moved: Callable[[], None] = lambda: None
        self.client: Redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1))
        pool: Any = self.client.connection_pool
        self._connection = pool.make_connection()
        self._timeout = timeout / 2
        self._grace = str(int(grace * 1000))
        self._worker = uuid.uuid4().hex
        self._run = ""
        self._seq = 0
        self._queue: deque[Operation] = deque()
        self._pending: Batch | None = None
        self._sender: asyncio.Task[None] | None = None
        self._closed = False

    def post(self, operation: Operation) -> None:
        """Sends without waiting. Raises nothing: it is applied when Redis is back, if its epoch lasts."""
        if self._closed:
            return
        self._queue.append(operation)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def ask(self, operation: Operation, *, urgent: bool = True) -> list[str]:
        """Raises AuthorityUnavailable: at once while Redis is away, and when it goes away. What is not urgent waits on
        once it was sent, for then it may have been applied."""
        if self._closed or not self.reachable:
            raise AuthorityUnavailable(AWAY)
        operation.urgent = urgent
        operation.future = asyncio.get_running_loop().create_future()
        self.post(operation)
        return await operation.future

    async def server_run(self) -> str:
        """Identity of the running Redis process. A restart changes it, and with it ends the epoch."""
        return str((await self.client.info("server"))["run_id"])

    async def drain(self) -> None:
        """Returns when the queue is empty or Redis is away."""
        while self.reachable and self._sender is not None and not self._sender.done():
            await asyncio.wait({self._sender}, timeout=self._timeout)

    async def close(self) -> None:
        self._closed = True
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender
        for operation in [*(self._pending.operations if self._pending is not None else ()), *self._queue]:
            operation.fail()
        self._queue.clear()
        await self._connection.disconnect(nowait=True)
        await self.client.aclose()

    async def _command(self, *words: object) -> Any:
        await self._connection.send_command(*words)
        return await self._connection.read_response()

    async def _connect(self) -> None:
        """The line has a connection of its own, not one of a pool that would replace it in silence: no connection
        outlives the server process that was asked for its name on it."""
        await self._connection.connect()
        told = await self._command("INFO", "server")
        self._run = next((line[7:].strip().decode() for line in told.splitlines() if line.startswith(b"run_id:")), "")

    async def _send(self) -> None:
        """A first failure is made good at once: a connection may have been closed in its sleep, or this process may
        have been too busy to read in time. The second means that Redis is away."""
        failures = 0
        while self._pending is not None or self._queue or not self.reachable:
            if self._pending is None:
                self._pending = self._next_batch()
                if self._pending is None:
                    return
            batch = self._pending
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._call(batch)
            except (RedisError, OSError, TimeoutError, msgspec.MsgspecError) as error:
                failures += 1
                await self._connection.disconnect(nowait=True)
                if failures > 1:
                    self._lost(error)
                    await asyncio.sleep(min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE))
                continue
            if not self.reachable:
                log.info("the budget authority is back")
            self.reachable, failures, self._pending = True, 0, None
            self._settle(batch, reply)

    def _next_batch(self) -> Batch | None:
        operations: list[Operation] = []
        while self._queue and len(operations) < BATCH:
            operation = self._queue.popleft()
            if operation.future is None or not operation.future.done():
                operations.append(operation)
        if not operations:
            if self.reachable:
                return None
            operations.append(Operation("hungry", f"{self.prefix}:hungry", "", ()))  # something to find back with
        self._seq += 1
        return Batch(self._seq, operations)

    async def _call(self, batch: Batch) -> Reply:
        if not self._connection.is_connected:
            await self._connect()
        name = self.prefix
        keys = [f"{name}:epoch", f"{name}:link:{self._worker}", f"{name}:hungry", *(operation.key for operation in batch.operations)]
        arguments = [str(batch.seq), self._run, self.epoch, self._grace]
        for operation in batch.operations:
            arguments += operation.arguments()
        try:
            answer = await self._command("EVALSHA", SHA, len(keys), *keys, *arguments)
        except NoScriptError:
            answer = await self._command("EVAL", SCRIPT, len(keys), *keys, *arguments)
        return _decode(answer)

    def _lost(self, error: Exception) -> None:
        """Nobody waits for a Redis that is away: who asked is told, and so is who asks from now on."""
        if self.reachable:
            log.warning("the budget authority is away: %s", error)
        self.reachable = False
        for operation in self._pending.operations if self._pending is not None else ():
            if operation.urgent:
                operation.fail()
        for operation in self._queue:
            operation.fail()

    def _settle(self, batch: Batch, reply: Reply) -> None:
        if reply.moved:
            self._move(reply.epoch, batch.operations)
            return
        for operation, result in zip(batch.operations, reply.results, strict=True):
            values = result if isinstance(result, list) else []
            if values[:1] == ["error"]:
                log.error("the budget authority can not %s %s: %s", operation.kind, operation.account, values[1])
                operation.fail()
            elif not operation.answer(values):
                self.returned(operation, values)

    def _move(self, epoch: str, operations: list[Operation]) -> None:
        """What was stated of the old epoch is void, what was asked is asked again, after what `moved` states."""
        carried = [*operations, *self._queue]
        self._queue.clear()
        self.epoch = epoch
        self.moved()
        for operation in carried:
            if operation.epoch is None or operation.epoch == epoch:
                self._queue.append(operation)
            else:
                operation.answer([])
