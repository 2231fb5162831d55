"""The control plane's own life inside a serving process: the poller, and in the all-in-one Celery as well.

Started with the first ASGI message of any kind, since Daphne sends no lifespan; stopped by the server or by lifespan.
"""

from __future__ import annotations

import threading

import structlog
from dataplane.store import Store
from redis import Redis

from config.env import Environment
from config.poller import Poller
from config.publish import follow
from config.push import Feed, push_to_redis

log = structlog.get_logger(__name__)


class House:
    """What runs beside the requests. With Redis, changes are pushed there; without, they go straight into `store`."""

    def __init__(self, environment: Environment, *, store: Store | None) -> None:
        self._lock = threading.Lock()
        self._started = False
        self._celery: object | None = None
        self._environment = environment
        if environment.redis_url is None:
            assert store is not None
            hand_on = Feed(store)
        else:
            client = Redis.from_url(environment.redis_url, socket_timeout=5, socket_connect_timeout=2)

            def hand_on() -> None:
                push_to_redis(client)

        self._hand_on = hand_on
        self._poller = Poller(hand_on)

    def start(self) -> None:
        """Idempotent. When it returns, what is published is what the store has."""
