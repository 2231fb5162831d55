"""The Celery app. Tasks are found in the apps' tasks.py, and so is the schedule: `SCHEDULE: dict[str, dict]` in each."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("customhouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
