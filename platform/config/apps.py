"""The composition root as a Django app: it loads Celery and wires publication, once every app is ready."""

from __future__ import annotations

from django.apps import AppConfig


class CompositionRoot(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Publication"

    def ready(self) -> None:
        # Here and not in __init__.py: the gateway process imports `config` too and must not load Celery or Django.
        from config import celery, throttle  # noqa: F401
