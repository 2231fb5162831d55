from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from adminkit.admin import ActionAdmin, ReadOnlyInline
from identity import actions
from identity.admin.grants import GrantsPage
from identity.admin.tree import TreeChangeList
from identity.models import Team, User


class MembersInline(ReadOnlyInline):
    model = User
    fk_name = "team"
    verbose_name_plural = "members"
    fields = ("username", "kind", "is_active")
    readonly_fields = fields
    tab = True


@admin.register(Team)
class TeamAdmin(GrantsPage, ActionAdmin):
    list_display = ("tree_name", "cost_center", "member_count", "limits")
    list_filter = ("cost_center",)
    search_fields = ("name", "cost_center")
    ordering = ("name",)  # Meta's own does not count once the query groups
    search_help_text = "Name or cost center"
    list_per_page = 200
    fieldsets = (
        (None, {"fields": ("name", "parent", "cost_center")}),
        ("Limits of all members together", {"fields": (("rpm", "tpm", "concurrency"),)}),
    )
    autocomplete_fields = ("parent",)
    inlines = (MembersInline,)
    actions_detail = ("grants",)
    export_fields = ("name", "parent__name", "cost_center", "member_count", "rpm", "tpm", "concurrency", "created_at")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TreeChangeList]:
        return TreeChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return super().get_queryset(request).select_related("parent").annotate(active=Count("members", filter=Q(members__is_active=True)))

    @display(description="Team")
    def tree_name(self, team: Any) -> SafeString:
        depth = getattr(team, "depth", 0)
        return format_html('<span style="padding-left: {}rem">{}{}</span>', depth * 1.5, "└ " if depth else "", team.name)

    @display(description="Members")
    def member_count(self, team: Any) -> int:
        return int(team.active)

    @display(description="Limits")
    def limits(self, team: Team) -> str:
        return limits_text(team)

    def perform_create(self, request: HttpRequest, obj: Team, form: Any) -> Team:
        return actions.create_team(actor=_actor(request), **form.cleaned_data)

    def perform_update(self, request: HttpRequest, obj: Team, form: Any, before: dict[str, Any]) -> None:
        actions.update_team(actor=_actor(request), team=obj, **{name: form.cleaned_data[name] for name in form.changed_data})

    def perform_delete(self, request: HttpRequest, obj: Team) -> None:
        actions.delete_team(actor=_actor(request), team=obj)


def limits_text(row: Any) -> str:
    told = [f"{value:,} {unit}" for value, unit in ((row.rpm, "rpm"), (row.tpm, "tpm"), (row.concurrency, "at once")) if value is not None]
    return ", ".join(told) or "-"


def _actor(request: HttpRequest) -> Any:
    return request.user
