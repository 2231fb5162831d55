"""Sums per day, read-only, and the cost report's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import path
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.formats import compact, dollars
from usage.admin.cost_report import cost_report
from usage.admin.filters import PlaneFilter, TeamFilter, exact
from usage.models import Rollup


@admin.register(Rollup)
class RollupAdmin(ActionAdmin):
    list_display = ("day", "what", "who", "team_name", "shown_calls", "errors", "tokens", "shown_cost", "shown_saved", "unpriced")
    list_filter = (("day", RangeDateFilter), TeamFilter, exact("model"), exact("server"), exact("agent"), PlaneFilter)
    list_display_links = ("day",)
    ordering = ("-day", "id")
    exclude = ("digest",)
    export_fields = (
        "day", "plane", "team_name", "principal_name", "key_name", "model_name", "provider", "server", "tool", "agent", "calls", "errors",
        "unpriced", "estimated", "input", "cached_read", "cache_write", "output", "cost", "saved",
    )  # fmt: skip

    def get_urls(self) -> list[Any]:
        return [path("costs/", self.admin_site.admin_view(self._cost_report), name="usage_cost_report"), *super().get_urls()]

    def _cost_report(self, request: HttpRequest) -> Any:
        return cost_report(self, request)

    @display(description="model")
    def model_name(self, row: Rollup) -> str:
        return row.model

    @display(description="What", header=True)
    def what(self, row: Rollup) -> list[str]:
        return [row.model or "/".join(filter(None, (row.server, row.tool))) or row.agent, row.provider or row.plane]

    @display(description="Who", header=True)
    def who(self, row: Rollup) -> list[str]:
        return [row.principal_name, row.key_name]

    @display(description="Calls")
    def shown_calls(self, row: Rollup) -> str:
        return compact(row.calls)

    @display(description="Tokens in / out")
    def tokens(self, row: Rollup) -> str:
        return f"{compact(row.input + row.cached_read + row.cache_write)} / {compact(row.output)}"

    @display(description="Cost")
    def shown_cost(self, row: Rollup) -> str:
        return dollars(row.cost)

    @display(description="Saved")
    def shown_saved(self, row: Rollup) -> str:
        return dollars(row.saved) if row.saved else "-"
