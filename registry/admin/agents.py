"""The admin of agents."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from registry import actions
from registry.admin.base import ItemAdmin
from registry.admin.called import CredentialForm, RegisteringAdmin
from registry.models import Agent


class AgentForm(CredentialForm):
    class Meta:
        model = Agent
        fields = (
            "slug",
            "url",
            "name",
            "description",
            "owner_team",
            "sponsor",
            "discoverable",
            "price",
            "allow_private_network",
            "credential_header",
        )


@admin.register(Agent)
class AgentAdmin(RegisteringAdmin, ItemAdmin):
    word = "agent"
    update = staticmethod(actions.update_agent)
    look = staticmethod(actions.look_at_agent)
    register = staticmethod(actions.register_agent)
    form = AgentForm
    list_display = ("header", "state", "health_state", "skill_count", "live", "owner_team", "sponsor", "discoverable")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("health", ChoicesDropdownFilter),
        ("owner_team", RelatedDropdownFilter),
        "discoverable",
    )
    search_fields = ("slug", "name", "description")
    ordering = ("slug",)
    autocomplete_fields = ("sponsor",)
    export_fields = ("slug", "name", "owner_team__name", "sponsor__username", "status", "health", "url", "live_version__version", "price")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).defer("credential", "live_version__card").select_related("sponsor", "identity")

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        about = (("name", "price"), ("owner_team", "sponsor"), "description", "discoverable")
        if obj is not None:
            return ((None, {"fields": about}), ("Connection", {"fields": ("allow_private_network",)}))
        return (
            ("Where it is", {"fields": (("url", "slug"), "allow_private_network")}),
            ("How it is called", {"fields": (("credential_header", "secret"),)}),
            ("In the catalog", {"fields": about}),
        )

    @display(description="Agent", ordering="slug", header=True)
    def header(self, obj: Agent) -> list[Any]:
        return [obj.label, obj.slug, obj.slug[:2].upper()]

    @display(description="Skills")
    def skill_count(self, obj: Agent) -> int:
        return len(obj.live_version.parsed["skills"]) if obj.live_version else 0

    def panels(self, request: HttpRequest, item: Agent) -> dict[str, Any]:
        principal = item.identity
        return {
            **super().panels(request, item),
            "address": f"/a2a/{item.slug}",
            "principal": principal,
            "principal_url": reverse(f"{self.admin_site.name}:identity_agentidentity_change", args=(principal.pk,)) if principal else "",
        }
