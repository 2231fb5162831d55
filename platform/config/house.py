"""The control plane's own life inside a serving process: publication goes on, and in the all-in-one Celery runs too."""

from __future__ import annotations

import asyncio

from redis import Redis

from config.env import Environment
from config.poller import Poller
from config.publish import follow
from config.push import Feed, push_to_redis
from config.seeding import keep_epoch, seed_new, seed_new_in_redis
from dataplane.authority import LocalAuthority
from dataplane.store import Store


class Publishing:
    """Follows what other processes commit and hands it on. Conforms to `dataplane.kit.Background`: when `start` returns,
    what is published has been handed on once."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller

    async def start(self) -> None:
        await asyncio.to_thread(self._poller.turn)
        self._poller.start()

    async def close(self) -> None:
        await asyncio.to_thread(self._poller.stop)


def publishing_into(store: Store, authority: LocalAuthority) -> Publishing:
    """For the all-in-one: a change goes straight into the store, and a new budget knows what was spent before it counts."""
    feed = Feed(store, before=lambda: seed_new(authority))
    follow(feed)
    return Publishing(Poller(feed))


def publishing_to_redis(environment: Environment) -> Publishing:
    """For a web process beside gateways. `apps.ready` has every process hand on its own changes already."""
    assert environment.redis_url is not None
    url = environment.redis_url
    client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
    return Publishing(Poller(lambda: keep_epoch(client, url), lambda: hand_on_to_redis(client, url)))


def hand_on_to_redis(client: Redis, url: str) -> None:
    push_to_redis(client, before=lambda: seed_new_in_redis(url))


class EmbeddedTasks:
    """Celery's worker and beat as threads of this process. Conforms to `dataplane.kit.Background`."""

    def __init__(self) -> None:
        from config.embedded import EmbeddedCelery  # Celery's worker takes half a second to import

        self._celery = EmbeddedCelery()

    async def start(self) -> None:
        self._celery.start()

    async def close(self) -> None:
        await asyncio.to_thread(self._celery.stop)
