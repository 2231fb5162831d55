"""Budgets with what is spent of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.formats import dollars
from usage import actions, queries
from usage.models import Budget

WATCH, USED_UP = 80, 100
"""Percent from which a bar is amber, and red."""


@admin.register(Budget)
class BudgetAdmin(ActionAdmin):
    list_display = ("whose", "bar", "shown_limit", "period", "shown_mode")
    list_filter = (("period", ChoicesDropdownFilter), ("mode", ChoicesDropdownFilter))
    list_select_related = ("team", "user", "key")
    search_fields = ("team__name", "user__username", "key__name")
    search_help_text = "Name of the team, the account or the key"
    autocomplete_fields = ("team", "user", "key")
    readonly_fields = ("bar", "created_at")
    ordering = ("pk",)
    fieldsets = (
        (None, {"fields": ("bar", ("limit", "period", "mode"))}),
        (
            "Whose",
            {
                "fields": ("team", "user", "key"),
                "description": "A team's budget is for all of its calls and for those of the teams below it.",
            },
        ),
    )
    add_fieldsets = (
        ("Whose: one of these", {"fields": ("team", "user", "key"), "description": "A team's budget includes the teams below it."}),
        ("How much", {"fields": (("limit", "period", "mode"),)}),
    )

    class Media:
        css = {"all": ("adminkit/dashboard.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        return super().get_queryset(request).select_related("team", "user", "key")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """What the rows of one page have spent is fetched together, not row by row."""
        changelist = super().get_changelist_instance(request)
        spent = queries.spent_of(changelist.result_list)
        for row in changelist.result_list:
            row.spent = spent[row.pk]
        return changelist

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.add_fieldsets if obj is None else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *(("team", "user", "key", "period") if obj is not None else ()))

    @display(description="Budget of", header=True)
    def whose(self, budget: Budget) -> list[str]:
        return [budget.subject_name, budget.subject.partition(":")[0]]

    @display(description="Spent in this period")
    def bar(self, budget: Budget) -> SafeString:
        spent: Decimal = budget.__dict__["spent"] if "spent" in budget.__dict__ else queries.spent(budget)
        percent = int(spent * 100 / budget.limit) if budget.limit else USED_UP
        state = "is-bad" if percent >= USED_UP else "is-warn" if percent >= WATCH else ""
        shown = {"spent": dollars(spent), "limit": dollars(budget.limit), "percent": percent, "width": min(percent, 100), "state": state}
        return render_to_string("usage/budget_bar.html", {**shown, "name": budget.subject_name})

    @display(description="Limit")
    def shown_limit(self, budget: Budget) -> str:
        return dollars(budget.limit)

    @display(description="When used up", label={"refuses": "danger", "tells": "info"})
    def shown_mode(self, budget: Budget) -> str:
        return "refuses" if budget.mode == Budget.Mode.HARD else "tells"

    def perform_create(self, request: HttpRequest, obj: Budget, form: Any) -> Budget:
        given = form.cleaned_data
        return actions.set_budget(
            actor=_actor(request), subject=obj.holder, limit=given["limit"], period=given["period"], mode=given["mode"]
        )

    def perform_update(self, request: HttpRequest, obj: Budget, form: Any, before: dict[str, Any]) -> None:
        actions.set_budget(actor=_actor(request), subject=obj.holder, limit=obj.limit, period=obj.period, mode=obj.mode)

    def perform_delete(self, request: HttpRequest, obj: Budget) -> None:
        actions.remove_budget(actor=_actor(request), budget=obj)


def _actor(request: HttpRequest) -> Any:
    return request.user
