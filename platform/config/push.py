"""The stored sections to where data planes hear of them: Redis for gateways, the store itself in the same process."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from redis import Redis
from redis.exceptions import WatchError

from config.models import PublishedSection
from config.publish import publish_beyond, published_version
from dataplane.snapshot import Section, encode
from dataplane.store import Store
from dataplane.subscribe import AHEAD, CHANNEL, INDEX, SECTIONS, VERSION

log = structlog.get_logger(__name__)

AT_ONCE = 500
BUDGETS = "budgets"


def encoded(section: PublishedSection) -> Section:
    return Section(name=section.name, version=section.version, body=bytes(section.body), schema=section.schema)


def push_to_redis(client: Redis, *, before: Callable[[], None]) -> int:
    """Brings Redis up to the version of the database and returns that. Comparing versions makes it heal what was lost:
    an emptied Redis has none and gets everything. Concurrent pushes don't overwrite each other. Raises RedisError.

    Redis or a gateway (`AHEAD`) that is beyond the database has followed another history of it: what it has is lifted
    above that and replaced whole. `before` is called ahead of a push in which the budgets change."""
    whole = False
    while True:
        held, ahead = (int(text or 0) for text in client.mget(VERSION, AHEAD))
        version = published_version()
        if max(held, ahead) > version:
            publish_beyond(max(held, ahead))
            whole = True
            continue
        if held == version:
            return version
        if budgets_change(since=held):
            before()
        try:
            return _push(client, held, version, whole=whole or held == 0)
        except WatchError:
            continue


def _push(client: Redis, held: int, version: int, *, whole: bool) -> int:
    with client.pipeline() as pipe:
        pipe.watch(VERSION)  # type: ignore[no-untyped-call]
        if int(pipe.get(VERSION) or 0) != held:
            raise WatchError
        pipe.multi()
        if whole:
            pipe.delete(SECTIONS, INDEX)
        count = 0
        # `version` was read first, so every section up to it is visible; a newer one that shows up too does no harm.
        for section in PublishedSection.objects.filter(version__gt=0 if whole else held).iterator(AT_ONCE):
            pipe.hset(SECTIONS, section.name, encode(encoded(section)))
            pipe.zadd(INDEX, {section.name: section.version})
            count += 1
        pipe.set(VERSION, version)
        pipe.publish(CHANNEL, version)
        pipe.execute()
    log.info("publication.pushed", version=version, count=count)
    return version


def budgets_change(*, since: int) -> bool:
    return PublishedSection.objects.filter(name=BUDGETS, version__gt=since).exists()


class Feed:
    """Hands newer sections to a store of this process. Called from the poller and from whoever commits a change.
    `before` is called ahead of sections in which the budgets change."""

    def __init__(self, store: Store, *, before: Callable[[], None]) -> None:
        self._store = store
        self._before = before
        self._fed = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        if published_version() < (held := self._store.current.version):
            # Of another history of the database, from before it was restored or renewed: see push_to_redis.
            publish_beyond(held)
        with self._lock:
            version = published_version()
            if version == self._fed:
                return
            if budgets_change(since=self._fed):
                self._before()
            rows = PublishedSection.objects.filter(version__gt=self._fed).iterator(AT_ONCE)
            self._store.apply([encoded(row) for row in rows])
            if self._fed == 0:
                self._store.keep_only(PublishedSection.objects.values_list("name", flat=True), version=version)
            self._fed = version
            self._store.save()
