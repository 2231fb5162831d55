"""The composition root as a Django app: it loads Celery and wires publication, once every app is ready."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class CompositionRoot(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Publication"

    def ready(self) -> None:
        # Here and not in __init__.py: the gateway process imports `config` too and must not load Celery or Django.
        from config import celery, observed, throttle  # noqa: F401

        url = settings.CUSTOMHOUSE.redis_url
        if url is not None:
            from redis import Redis

            from config.house import hand_on_to_redis
            from config.publish import follow

            client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
            follow(lambda: hand_on_to_redis(client, url))
        else:
            from config import publish  # noqa: F401  # listens to the audit trail
