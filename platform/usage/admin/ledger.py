"""The ledger as a list that stays fast at a million rows, and as a page per call."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from adminkit.admin import ActionAdmin
from adminkit.formats import compact, dollars
from adminkit.reading import ScopedReads
from dataplane import money
from usage import queries
from usage.admin.filters import Moments, OutcomeFilter, PlaneFilter, TeamFilter, exact
from usage.models import LedgerEntry

OUTCOMES = {"ok": "success", "error": "danger", "aborted": "warning", "unknown": "warning"}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ActionAdmin):
    list_display = ("when", "what", "who", "team_name", "shown_outcome", "tokens", "shown_cost", "shown_saved", "took")
    list_display_links = ("when", "what")
    list_filter = (
        ("at", Moments),
        TeamFilter,
        exact("model"),
        exact("key"),
        exact("server"),
        exact("agent"),
        PlaneFilter,
        OutcomeFilter,
    )
    search_fields = ("request_id",)
    search_help_text = "The whole id of a request or of a usage event"
    ordering = ("-at", "-id")
    actions_list = ("cost_report",)
    export_fields = (
        "id", "request_id", "at", "plane", "principal_name", "team_name", "key_name", "model_name", "provider", "deployment", "server",
        "tool", "agent", "status", "outcome", "input", "cached_read", "cache_write", "output", "exact_cost", "currency", "price",
        "estimated", "latency_ms", "ttft_ms", "exact_saved",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("at", "recorded_at"), ("request_id", "id"))}),
        ("Who", {"fields": (("principal_name", "principal"), ("team_name", "team_id"), ("key_name", "key_id"))}),
        ("What", {"fields": ("plane", ("model", "provider", "deployment"), ("server", "tool", "agent"))}),
        ("How it went", {"fields": (("shown_outcome", "status"), ("took", "first_byte"))}),
        ("What was used", {"fields": ("meters", ("exact_cost", "currency", "estimated"), "exact_saved", "price")}),
    )
    readonly_fields = ("shown_outcome", "took", "first_byte", "meters", "exact_cost", "exact_saved")

    class Media:
        css = {"all": ("adminkit/dashboard.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        """By team number alone, which is indexed: nobody is granted a single entry."""
        return super(ScopedReads, self).get_queryset(request).filter(queries.visible(request.user))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """Exact, along an index: a million rows are not searched for a fragment."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=uuid.UUID(term)) | queryset.filter(request_id=term), False
        except ValueError:
            return queryset.filter(request_id=term), False

    @display(description="model")
    def model_name(self, entry: LedgerEntry) -> str:
        return entry.model

    @display(description="At (UTC)", ordering="-at")
    def when(self, entry: LedgerEntry) -> SafeString:
        return _unbroken(f"{entry.at:%Y-%m-%d %H:%M:%S}")

    @display(description="What", header=True)
    def what(self, entry: LedgerEntry) -> list[str]:
        return [entry.model or "/".join(filter(None, (entry.server, entry.tool))) or entry.agent, entry.deployment or entry.plane]

    @display(description="Who", header=True)
    def who(self, entry: LedgerEntry) -> list[str]:
        return [entry.principal_name, entry.key_name]

    @display(description="Outcome", label=OUTCOMES)
    def shown_outcome(self, entry: LedgerEntry) -> str:
        return entry.outcome

    @display(description="Tokens in / out")
    def tokens(self, entry: LedgerEntry) -> str:
        given = entry.input + entry.cached_read + entry.cache_write
        return f"{compact(given)} / {compact(entry.output)}" if given or entry.output else "-"

    @display(description="Cost")
    def shown_cost(self, entry: LedgerEntry) -> str:
        if entry.cost is None:
            return "no price"
        return f"{dollars(entry.cost)}{' (estimated)' if entry.estimated else ''}"

    @display(description="Saved")
    def shown_saved(self, entry: LedgerEntry) -> str:
        return "-" if entry.saved is None else dollars(entry.saved)

    @display(description="Took")
    def took(self, entry: LedgerEntry) -> SafeString:
        return _unbroken(f"{entry.latency_ms:,.0f} ms")

    @display(description="First byte after")
    def first_byte(self, entry: LedgerEntry) -> str:
        return "-" if entry.ttft_ms is None else f"{entry.ttft_ms:,.0f} ms"

    @display(description="Usage")
    def meters(self, entry: LedgerEntry) -> SafeString:
        return render_to_string("usage/meters.html", {"meters": entry.meters})

    @display(description="Cost")
    def exact_cost(self, entry: LedgerEntry) -> str:
        return "" if entry.cost is None else money.to_text(entry.cost)

    @display(description="Saved by an answer of before")
    def exact_saved(self, entry: LedgerEntry) -> str:
        return "" if entry.saved is None else money.to_text(entry.saved)

    @action(description="Cost report", url_path="cost-report", icon="summarize")
    def cost_report(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:usage_cost_report")


def _unbroken(text: str) -> SafeString:
    return format_html('<span style="white-space: nowrap">{}</span>', text)
