"""A gateway's ear for the snapshot: Redis tells at once, a poll of one key tells within a second what was missed.

    ch:snapshot          hash     section name → encoded Section
    ch:snapshot:index    zset     section name by the version that last changed it
    ch:snapshot:version  string   the newest version; absent after Redis has lost its data: then nothing is taken away
    ch:snapshot:ahead    string   a version that a gateway has and Redis does not: the control plane goes on above it
    ch:snapshot          channel  a message per publication

Redis away changes nothing about what is served: the store keeps its last good sections, also across a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from dataplane.snapshot import Section, decode_section
from dataplane.store import Store

SECTIONS = CHANNEL = "ch:snapshot"
INDEX = "ch:snapshot:index"
VERSION = "ch:snapshot:version"
AHEAD = "ch:snapshot:ahead"

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5
AT_ONCE = 500

log = logging.getLogger(__name__)


class Subscriber:
    """Feeds a store from Redis in a thread of its own. `heard_at` is Unix time of the last answer, 0.0 for never;
    `reachable` says whether the last attempt succeeded. Conforms to `kit.Background`."""

    def __init__(self, store: Store, *, url: str) -> None:
        self.heard_at = 0.0
        self.reachable = False
        self._store = store
        self._redis: Redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
        self._seen = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="snapshot-subscriber", daemon=True)

    async def start(self) -> None:
        self._thread.start()

    async def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, 5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (RedisError, OSError) as error:
                self._lost(error)
            except Exception:
                # A thread that dies would leave this gateway deaf for good.
                log.exception("the snapshot's subscriber failed; it goes on")
            self._stop.wait(RETRY_SECONDS)
        with contextlib.suppress(RedisError, OSError):
            self._redis.close()

    def _listen(self) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(CHANNEL)
            while not self._stop.is_set():
                self.catch_up()
                pubsub.get_message(timeout=POLL_SECONDS)

    def catch_up(self) -> int:
        """Takes every section newer than what was seen before; returns how many. Raises RedisError."""
        version = int(self._redis.get(VERSION) or 0)
        self._heard()
        if version == self._seen:
            return 0
        # Seen 0 asks for all: what is on disk may be older or of another house.
        since = self._seen if version > self._seen else 0
        names: list[Any] = self._redis.zrangebyscore(INDEX, f"({since}", "+inf")
        taken = 0
        for start in range(0, len(names), AT_ONCE):
            bodies: list[Any] = self._redis.hmget(SECTIONS, names[start : start + AT_ONCE])
            taken += self._store.apply(_decoded(bodies))
        if version:
            taken += self._reconcile(version)
            self._seen = version
            self._store.save()
        return taken

    def _reconcile(self, version: int) -> int:
        """What is held here may be of another history: from before the database was restored, or of another house. Then
        the control plane is told, since only what is newer than what is held is ever taken."""
        held = self._store.current.version
        if held > version:
            self._redis.set(AHEAD, held)
        if self._store.count > self._redis.zcard(INDEX):
            names: list[Any] = self._redis.zrange(INDEX, 0, -1)
            return self._store.keep_only((name.decode() for name in names), version=version)
        return 0

    def _heard(self) -> None:
        if not self.reachable:
            log.info("Redis answers; the snapshot is at version %d", self._store.current.version)
        self.reachable, self.heard_at = True, time.time()

    def _lost(self, error: Exception) -> None:
        if self.reachable:
            log.warning("Redis is away, version %d of the snapshot goes on being served: %s", self._store.current.version, error)
        self.reachable = False


def _decoded(bodies: list[Any]) -> list[Section]:
    sections = []
    for body in bodies:
        if body is not None:
            try:
                sections.append(decode_section(body))
            except msgspec.MsgspecError:
                log.error("a section of the snapshot in Redis can not be read")
    return sections
