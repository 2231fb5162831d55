"""The Celery app. Tasks are in the apps' tasks.py, and so is their schedule: `SCHEDULE`, entries as Celery's beat takes
them. An entry's name is prefixed with its app, so that two apps can both have a `health`."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery import Celery
from celery.signals import import_modules, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("customhouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def collected_schedule() -> dict[str, dict[str, Any]]:
    """The schedules of all apps, by `<app>.<name>`."""
    from django.conf import settings

    schedule: dict[str, dict[str, Any]] = {}
    for name in settings.HOUSE_APPS:
        if find_spec(f"{name}.tasks") is not None:
            entries = getattr(import_module(f"{name}.tasks"), "SCHEDULE", {})
            schedule |= {f"{name}.{entry}": dict(what) for entry, what in entries.items()}
    return schedule


@import_modules.connect
def _schedule(sender: Any, **_: Any) -> None:
    """When a worker or beat loads the tasks, and not before: importing all of them costs every other command seconds."""
    app.conf.beat_schedule = collected_schedule()


@setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Django has set logging up, redaction included; Celery must not put handlers of its own in its place."""
