"""What somebody has to look at: models without a price, and events that fit no ledger."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.formats import compact
from usage import actions
from usage.admin.filters import ResolvedFilter
from usage.models import RejectedEvent, UnpricedModel


@admin.register(UnpricedModel)
class UnpricedModelAdmin(ActionAdmin):
    """Alarms. They are raised by calls and resolved by people."""

    scoped = False
    list_display = ("what", "shown_calls", "first_seen", "last_seen", "state", "remedy")
    list_filter = (ResolvedFilter,)
    search_fields = ("model", "provider", "deployment")
    actions = ("resolve",)
    export_fields = ("model_name", "provider", "deployment", "calls", "first_seen", "last_seen", "resolved_at")

    class Media:
        css = {"all": ("adminkit/dashboard.css",)}

    @display(description="model")
    def model_name(self, alarm: UnpricedModel) -> str:
        return alarm.model

    @display(description="Model", header=True)
    def what(self, alarm: UnpricedModel) -> list[str]:
        return [alarm.model, " ".join(filter(None, (alarm.provider, alarm.deployment)))]

    @display(description="Calls", ordering="calls")
    def shown_calls(self, alarm: UnpricedModel) -> str:
        return compact(alarm.calls)

    @display(description="State", label={"open": "danger", "resolved": "success"})
    def state(self, alarm: UnpricedModel) -> str:
        return "open" if alarm.resolved_at is None else "resolved"

    @display(description="")
    def remedy(self, alarm: UnpricedModel) -> SafeString | str:
        if alarm.resolved_at is not None:
            return ""
        return format_html(
            '<a class="house-link" href="{}?{}">Set a price</a>', reverse("admin:usage_price_add"), urlencode({"model": alarm.model})
        )

    @admin.action(description="Resolve: somebody has seen to it")
    def resolve(self, request: HttpRequest, queryset: QuerySet[UnpricedModel]) -> None:
        actor: Any = request.user
        for alarm in queryset:
            actions.resolve_alarm(actor=actor, alarm=alarm)


@admin.register(RejectedEvent)
class RejectedEventAdmin(ActionAdmin):
    scoped = False
    list_display = ("received_at", "source", "error")
    search_fields = ("source", "error")
