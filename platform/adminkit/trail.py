"""The audit trail in the admin: to be read, filtered, exported and verified; never written."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter, FieldTextFilter
from unfold.decorators import action, display

from adminkit.base import ActionAdmin
from adminkit.filters import MomentFilter
from adminkit.history import short
from audit import trail
from audit.models import AuditEvent


class AreaFilter(DropdownFilter):
    """By the app in which something was done: the first part of the action's name."""

    title = "area"
    parameter_name = "area"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted((config.label, str(config.verbose_name)) for config in apps.get_app_configs() if "." not in config.name)

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(action__startswith=f"{self.value()}.") if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ActionAdmin):
    scoped = False
    list_display = ("when", "actor_name", "action", "target_label", "summary")
    list_display_links = ("when", "action")
    list_filter = (
        AreaFilter,
        ("action", FieldTextFilter),
        ("actor_name", FieldTextFilter),
        ("target_type", FieldTextFilter),
        ("at", MomentFilter),
    )
    search_fields = ("=target_id", "target_label__istartswith", "actor_name__istartswith", "action__istartswith")
    search_help_text = "The beginning of an action, a person or a target"
    fieldsets = (
        (None, {"fields": ("action", "at", "actor", "target")}),
        ("What changed", {"fields": ("changed", "more")}),
        ("Place in the chain", {"fields": ("id", "prev_hash", "hash"), "classes": ("collapse",)}),
    )
    readonly_fields = ("actor", "target", "changed", "more")
    actions_list = ("verify_chain",)
    export_fields = (
        "id", "at", "actor_ref", "actor_name", "action", "target_type", "target_id", "target_label", "changes", "extra",
        "prev_hash", "hash",
    )  # fmt: skip

    @display(description="At (UTC)", ordering="id")
    def when(self, event: AuditEvent) -> str:
        return f"{event.at:%Y-%m-%d %H:%M:%S}"

    @display(description="Changed")
    def summary(self, event: AuditEvent) -> str:
        return ", ".join(event.changes) or "-"

    @display(description="Who")
    def actor(self, event: AuditEvent) -> SafeString:
        return format_html("{} <code>{}</code>", event.actor_name, event.actor_ref)

    @display(description="What it is about")
    def target(self, event: AuditEvent) -> SafeString:
        """A link while the target has an admin; whether it still exists shows when it is followed."""
        label = format_html("{} <code>{} {}</code>", event.target_label, event.target_type, event.target_id)
        try:
            url = reverse(f"{self.admin_site.name}:{event.target_type.replace('.', '_')}_change", args=(event.target_id,))
        except NoReverseMatch:
            return label
        return format_html('<a href="{}" class="text-primary-600">{}</a>', url, label)

    @display(description="Old and new")
    def changed(self, event: AuditEvent) -> SafeString:
        return _table(("Field", "Old", "New"), [(field, short(old, 2000), short(new, 2000)) for field, (old, new) in event.changes.items()])

    @display(description="Besides")
    def more(self, event: AuditEvent) -> SafeString:
        return _table(("", ""), [(name, short(value, 2000)) for name, value in event.extra.items()])

    @action(description="Verify the chain", icon="verified_user")
    def verify_chain(self, request: HttpRequest) -> HttpResponseRedirect:
        verdict = trail.verify()
        if verdict.ok:
            messages.success(request, f"The trail is whole: {verdict.length:,} events, ending in {verdict.hash}.")
        else:
            messages.error(request, f"The trail is broken at event {verdict.bad}: {verdict.reason}.")
        return HttpResponseRedirect(self.url_of())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> SafeString:
    if not rows:
        return format_html("{}", "-")
    cell = "align-top border-b border-base-200 px-3 py-2 text-left dark:border-base-800 break-words whitespace-pre-wrap"
    titles = format_html_join("", '<th class="{} font-semibold">{}</th>', ((cell, name) for name in head))
    lines = ((format_html_join("", '<td class="{}">{}</td>', ((cell, value) for value in row)),) for row in rows)
    return format_html(
        '<table class="w-full"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', titles, format_html_join("", "<tr>{}</tr>", lines)
    )
