"""What the LLM gateway brings to the overview: providers that do not answer."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.timesince import timesince

from adminkit.dashboard import Ailing, register_ailing
from identity.queries import visible_to
from llmgateway.choices import Health
from llmgateway.models import Provider

STATES = {Health.DEGRADED: "is-warn", Health.DOWN: "is-bad"}


def register_panels() -> None:
    register_ailing(ailing)


def ailing(user: Any) -> list[Ailing]:
    sick = visible_to(Provider.objects.filter(enabled=True, health__in=STATES), user).order_by("name")[:50]
    return [
        Ailing(
            name=provider.name,
            note=f"provider: {provider.last_error or 'it does not answer'}"[:160],
            href=reverse("admin:llmgateway_provider_change", args=[provider.pk]),
            state=STATES[Health(provider.health)],
            word=provider.get_health_display(),
            when=timesince(provider.checked_at).split(",")[0] if provider.checked_at else "",
        )
        for provider in sick
    ]
