"""What happens to usage on a schedule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.schedules import crontab
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

from usage import partitions, prices, rollups, totals
from usage.drain import DrainThread

TODAY_EVERY = timedelta(minutes=5)

SCHEDULE: dict[str, dict[str, Any]] = {
    "rollup": {"task": "usage.tasks.rollup", "schedule": 60.0, "options": {"expires": 55}},
    "rollup-today": {"task": "usage.tasks.rollup_today", "schedule": TODAY_EVERY.total_seconds(), "options": {"expires": 240}},
    "ensure-partitions": {"task": "usage.tasks.ensure_partitions", "schedule": crontab(minute="17", hour="*/6")},
    "seed-prices": {"task": "usage.tasks.seed_prices", "schedule": crontab(minute="37", hour="4")},
}


@shared_task
def rollup() -> list[str]:
    """Days that are over and got entries since: a report then reads them from their sums."""
    return [str(day) for day in rollups.roll_up_stale(before=totals.today())]


@shared_task
def rollup_today() -> list[str]:
    """The running day as well, for charts; reports read it from the ledger."""
    return [str(day) for day in rollups.roll_up_stale()]


@shared_task
def ensure_partitions() -> list[str]:
    return partitions.ensure_ahead()


@shared_task
def seed_prices() -> int:
    return prices.seed()


_drains: list[DrainThread] = []


@worker_ready.connect
def _start_drain(**_: Any) -> None:
    """Every Celery worker also drains the stream, since a usage event is to be readable within two seconds."""
    url = settings.CUSTOMHOUSE.redis_url
    if url is not None:
        drain = DrainThread(url)
        drain.start()
        _drains.append(drain)


@worker_shutting_down.connect
def _stop_drain(**_: Any) -> None:
    while _drains:
        _drains.pop().stop()
