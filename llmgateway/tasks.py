"""What runs by the clock: the health of providers, prices that begin, and the alarm about models without a price."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from llmgateway.actions import announce_begun_prices, record_health
from llmgateway.choices import Health
from llmgateway.models import Provider
from llmgateway.probe import probe
from llmgateway.unpriced import unpriced_models

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Providers asked at the same time: the checks of a house share one worker with its other tasks."""
DOWN_AGAIN_AFTER = timedelta(minutes=5)
"""A provider that is down keeps a check waiting for its whole timeout, so it is asked less often."""

SCHEDULE = {
    "check_providers": {"task": "llmgateway.tasks.check_providers", "schedule": 60.0, "options": {"expires": 55}},
    "begin_prices": {"task": "llmgateway.tasks.begin_prices", "schedule": 60.0, "options": {"expires": 55}},
    "warn_unpriced": {"task": "llmgateway.tasks.warn_unpriced", "schedule": 3600.0, "options": {"expires": 1800}},
}


@shared_task
def check_providers() -> int:
    """Asks every enabled provider for one page of its models. Returns how many were asked."""
    resting = Q(health=Health.DOWN, checked_at__gt=timezone.now() - DOWN_AGAIN_AFTER)
    providers = list(Provider.objects.filter(enabled=True).exclude(resting).order_by("name"))
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="check-provider") as pool:
        findings = list(pool.map(lambda provider: probe(provider, page_size=1), providers))
    for provider, finding in zip(providers, findings, strict=True):
        stored = record_health(actor=None, provider=provider, error=finding.sentence, latency_ms=finding.latency_ms)
        if stored.health != provider.health:
            log.warning("provider.health", provider=provider.name, before=provider.health, now=stored.health, error=finding.sentence)
    return len(providers)


@shared_task
def begin_prices() -> int:
    """Has prices published whose first day has come: nobody changes anything at midnight (UTC), so nothing else would."""
    return announce_begun_prices(actor=None)


@shared_task
def warn_unpriced() -> list[str]:
    """Names the models that would be called without a known price, and says so in the log."""
    names = unpriced_models()
    if names:
        log.warning("models.unpriced", count=len(names), models=names[:50])
    return names
