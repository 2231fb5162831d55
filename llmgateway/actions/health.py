"""The outcome of a provider's health check. Only a change of state is audited: checks run every minute, for ever."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from audit import trail
from identity.models import User
from llmgateway.choices import Health
from llmgateway.models import Provider

FAILURES_UNTIL_DOWN = 3
"""With a check a minute this is grace for a deploy or a short network fault at the vendor."""


@transaction.atomic
def record_health(*, actor: User | None, provider: Provider, error: str = "", latency_ms: float | None = None) -> Provider:
    """`error` is "" after a good check. A first failure makes the provider degraded, the third in a row makes it down."""
    asked_as_of = provider.updated_at
    provider = Provider.objects.select_for_update().get(pk=provider.pk)
    if provider.updated_at != asked_as_of:
        return provider  # its settings changed while it was asked: the outcome is not about them
    before = provider.health
    provider.failed_checks = provider.failed_checks + 1 if error else 0
    provider.health = _state(provider.failed_checks)
    provider.checked_at = timezone.now()
    provider.last_error = error[:500]
    provider.latency_ms = None if latency_ms is None else round(latency_ms)
    provider.save(update_fields=["failed_checks", "health", "checked_at", "last_error", "latency_ms"])
    if provider.health != before:
        changes = {"health": [before, provider.health]}
        extra = {"error": provider.last_error} if error else {}
        trail.record(actor=actor, action="llmgateway.provider.health", target=provider, changes=changes, extra=extra)
    return provider


def _state(failures: int) -> Health:
    if failures == 0:
        return Health.HEALTHY
    return Health.DOWN if failures >= FAILURES_UNTIL_DOWN else Health.DEGRADED
