"""The price catalogue: searched, read, and overridden by newer prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from dataplane import money
from usage import actions
from usage.models import Price
from usage.models.price import METERS

STATED = (*METERS, "note")
SHOWN = ("ref", "model", "vendor", "valid_from", "amounts", "note", "source", "created_at", "withdrawn_at")


@admin.register(Price)
class PriceAdmin(ActionAdmin):
    """A price is not edited: a newer one is stated, and a wrong one withdrawn."""

    class Media:
        css = {"all": ("adminkit/dashboard.css",)}

    scoped = False
    list_display = ("what", "shown_input", "shown_output", "shown_cached", "valid_from", "shown_source")
    list_filter = (("source", ChoicesDropdownFilter), "vendor")
    search_fields = ("model", "vendor")
    search_help_text = "Model or vendor"
    ordering = ("vendor", "model", "-valid_from", "-revision")
    actions = ("withdraw",)
    export_fields = ("ref", "vendor", "model_name", "valid_from", "source", *METERS, "note", "withdrawn_at")
    fieldsets = (
        (
            None,
            {
                "fields": (("model", "vendor"), "valid_from"),
                "description": "Without a vendor it is the price of our own model of that name.",
            },
        ),
        (
            "USD per million tokens",
            {"fields": (("input", "output", "cached_read"), ("cache_write_5m", "cache_write_1h"), ("audio_input", "audio_output"))},
        ),
        ("USD per one", {"fields": (("request", "image", "second"),)}),
        (None, {"fields": ("note",)}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"valid_from": datetime.now(UTC).date(), **super().get_changeform_initial_data(request)}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is None else ((None, {"fields": SHOWN}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return SHOWN if obj is not None else ()

    @display(description="USD per million tokens (request, image, second: per one)")
    def amounts(self, price: Price) -> SafeString:
        return render_to_string("usage/meters.html", {"meters": {meter: money.to_text(amount) for meter, amount in price.amounts.items()}})

    @display(description="model")
    def model_name(self, price: Price) -> str:
        return price.model

    @display(description="Model", ordering="model", header=True)
    def what(self, price: Price) -> list[str]:
        return [price.model, price.vendor or "our model"]

    @display(description="Input", ordering="input")
    def shown_input(self, price: Price) -> str:
        return money.to_text(price.amounts["input"])

    @display(description="Output", ordering="output")
    def shown_output(self, price: Price) -> str:
        return money.to_text(price.amounts["output"])

    @display(description="Cached input")
    def shown_cached(self, price: Price) -> str:
        return "-" if price.cached_read is None else money.to_text(price.cached_read)

    @display(description="Source", label={"override": "warning", "catalogue": "info", "withdrawn": "danger"})
    def shown_source(self, price: Price) -> str:
        if price.withdrawn_at is not None:
            return "withdrawn"
        return "override" if price.source == Price.Source.OVERRIDE else "catalogue"

    def perform_create(self, request: HttpRequest, obj: Price, form: Any) -> Price | None:
        given = form.cleaned_data
        return actions.set_price(
            actor=_actor(request),
            model_name=given["model"],
            vendor=given["vendor"],
            valid_from=given["valid_from"],
            **{name: given[name] for name in STATED},
        )

    @admin.action(description="Withdraw: from now on these count no more", permissions=["add"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Price]) -> None:
        for price in queryset:
            actions.withdraw_price(actor=_actor(request), price=price)


def _actor(request: HttpRequest) -> Any:
    return request.user
