"""The ledger's side of the stream `ch:usage`: reads it as one of a consumer group, commits, and only then confirms.

An entry is `{source, tag, lines}` as `dataplane.outlets.StreamOutlet` adds it. When its lines are committed, one Redis
transaction acknowledges and deletes it and tells the source by pushing the tag onto `<stream>:done:<source>`. A drain that
is killed in between leaves the entry pending; another one claims it, and the ledger takes no event twice.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from typing import Any, cast

import redis
from django.db import Error as DatabaseError
from django.db import close_old_connections

from dataplane.outlets import STREAM
from usage import ledger

log = logging.getLogger(__name__)

GROUP = "ledger"
AT_ONCE = 16
"""Entries of one read. Each holds 256 KiB of lines at the most."""

WAIT_MS = 1000
CLAIM_AFTER_MS = 30_000
"""An entry that a consumer has held for so long is somebody else's to do: more than any batch takes."""

DONE_TTL = 86_400
LONGEST_PAUSE = 5.0

Entry = tuple[bytes, dict[bytes, bytes]]


class Drain:
    """One consumer. `run` until `stop`; any number may run side by side, in any process."""

    def __init__(self, client: redis.Redis, *, stream: str = STREAM, claim_after_ms: int = CLAIM_AFTER_MS) -> None:
        self._redis: Any = client
        self._stream = stream
        self._claim_after = claim_after_ms
        self._name = f"{os.uname().nodename}-{os.getpid()}-{secrets.token_hex(3)}"
        self._stopping = threading.Event()
        self._grouped = False
        self.recorded = 0
        """Usage events that the ledger did not have before."""

    def run(self) -> None:
        """Returns after `stop`. Whatever is away, it goes on trying with growing pauses; nothing is lost meanwhile."""
        failures = 0
        while not self._stopping.is_set():
            try:
                self.drain_once(wait_ms=WAIT_MS)
                failures = 0
            except (redis.RedisError, OSError, DatabaseError) as error:
                failures += 1
                self._grouped = False  # the stream may be gone with its server
                log.warning("usage can not be drained (%d times in a row): %s: %s", failures, type(error).__name__, error)
                self._stopping.wait(min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 10)))
        self._leave()

    def stop(self) -> None:
        self._stopping.set()

    def drain_once(self, *, wait_ms: int | None = None) -> int:
        """Takes what is there: left by the dead, left by ourselves, new; waits `wait_ms` for something new. How many entries
        that were. Raises what Redis and the database raise."""
        self._ensure_group()
        entries = self._claimed() or self._read("0") or self._read(">", wait_ms)
        if entries:
            self._take(entries)
        return len(entries)

    def _take(self, entries: list[Entry]) -> None:
        close_old_connections()
        try:
            for number, fields in entries:
                source = fields[b"source"].decode()
                self.recorded += ledger.record_lines(fields[b"lines"].split(b"\n"), source=source)
                self._confirm(number, source, fields[b"tag"])
        finally:
            close_old_connections()

    def _confirm(self, number: bytes, source: str, tag: bytes) -> None:
        done = f"{self._stream}:done:{source}"
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(self._stream, GROUP, number)
            pipe.xdel(self._stream, number)
            pipe.rpush(done, tag)
            pipe.expire(done, DONE_TTL)
            pipe.execute()

    def _ensure_group(self) -> None:
        if self._grouped:
            return
        try:
            self._redis.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._grouped = True

    def _claimed(self) -> list[Entry]:
        """What others have held for too long. A deleted entry may still be pending somewhere; it comes without fields."""
        _, entries, _ = self._redis.xautoclaim(self._stream, GROUP, self._name, min_idle_time=self._claim_after, count=AT_ONCE)
        return [entry for entry in cast("list[Entry]", entries) if entry[1]]

    def _read(self, start: str, wait_ms: int | None = None) -> list[Entry]:
        found = self._redis.xreadgroup(GROUP, self._name, {self._stream: start}, count=AT_ONCE, block=wait_ms)
        entries = found[0][1] if found else []
        return [entry for entry in cast("list[Entry]", entries) if entry[1]]

    def _leave(self) -> None:
        """A consumer that holds nothing leaves no trace; one that does is left to be claimed from."""
        try:
            if not self._redis.xpending_range(self._stream, GROUP, "-", "+", 1, consumername=self._name):
                self._redis.xgroup_delconsumer(self._stream, GROUP, self._name)
        except redis.RedisError as error:
            log.info("the drain leaves without telling: %s", error)


def client_for(url: str) -> redis.Redis:
    """Its timeout is above the wait of a blocking read."""
    return redis.Redis.from_url(url, socket_timeout=WAIT_MS / 1000 + 5, socket_connect_timeout=2, health_check_interval=30)


class DrainThread:
    """A drain beside other work, such as a Celery worker's."""

    def __init__(self, url: str) -> None:
        self._drain = Drain(client_for(url))
        self._thread = threading.Thread(target=self._drain.run, name="usage-drain", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        self._drain.stop()
        self._thread.join(patience)
