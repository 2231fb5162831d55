"""The admin of MCP servers and their tools."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from registry import actions, hidden
from registry.admin.badges import badge
from registry.admin.base import ItemAdmin
from registry.admin.called import CredentialForm, RegisteringAdmin
from registry.models import Server, Tool

SHOWN = 200


class ServerForm(CredentialForm):
    class Meta:
        model = Server
        fields = (
            "name",
            "slug",
            "url",
            "era",
            "title",
            "description",
            "owner_team",
            "discoverable",
            "allow_private_network",
            "credential_header",
        )


@admin.register(Server)
class ServerAdmin(RegisteringAdmin, ItemAdmin):
    word = "server"
    update = staticmethod(actions.update_server)
    look = staticmethod(actions.look_at_server)
    register = staticmethod(actions.register_server)
    form = ServerForm
    list_display = ("header", "state", "health_state", "tool_count", "live", "owner_team", "discoverable")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("health", ChoicesDropdownFilter),
        ("owner_team", RelatedDropdownFilter),
        "discoverable",
    )
    search_fields = ("slug", "name", "title", "description")
    ordering = ("slug",)
    export_fields = ("slug", "name", "title", "owner_team__name", "status", "health", "url", "era", "live_version__version", "discoverable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Server]:
        offered = Count("tools", filter=Q(tools__approved=True, tools__withheld=False), distinct=True)
        return super().get_queryset(request).defer("credential").annotate(offered=offered)

    def get_fieldsets(self, request: HttpRequest, obj: Server | None = None) -> Any:
        about = (("title", "owner_team"), "description", "discoverable")
        if obj is not None:
            return ((None, {"fields": about}), ("Connection", {"fields": (("era", "allow_private_network"),)}))
        return (
            ("Where it is", {"fields": ("url", ("era", "allow_private_network"))}),
            ("What it is called", {"fields": (("name", "slug"),)}),
            ("How it is called", {"fields": (("credential_header", "secret"),)}),
            ("In the catalog", {"fields": about}),
        )

    @display(description="Server", ordering="slug", header=True)
    def header(self, obj: Server) -> list[Any]:
        return [obj.label, obj.name, obj.slug[:2].upper()]

    @display(description="Tools", ordering="offered")
    def tool_count(self, obj: Any) -> int:
        return int(obj.offered)

    def panels(self, request: HttpRequest, item: Server) -> dict[str, Any]:
        tools = list(item.tools.order_by("name")[:SHOWN])
        return {
            **super().panels(request, item),
            "address": f"/mcp/{item.slug}",
            "tools": [{"row": tool, "name": hidden.reveal(tool.name), "badge": tool_badge(tool)} for tool in tools],
            "more_tools": max(0, item.tools.count() - len(tools)),
        }


def tool_badge(tool: Tool) -> SafeString:
    if tool.withheld:
        return badge("withheld", tone="bad")
    return badge("offered", tone="good") if tool.approved else badge("not approved", tone="mute")


@admin.register(Tool)
class ToolAdmin(ActionAdmin):
    list_display = ("header", "state", "effects", "price", "server")
    list_filter = (("server", RelatedDropdownFilter), "approved", "withheld")
    search_fields = ("name", "server__slug", "server__title")
    search_help_text = "Tool or server"
    list_select_related = ("server",)
    readonly_fields = ("server", "name", "state", "effects", "definition_text")
    fields = (("server", "name"), ("state", "effects"), "price", "definition_text")
    actions = ("withhold", "offer")
    export_fields = ("server__slug", "name", "approved", "withheld", "price", "digest")

    class Media:
        css = {"all": ("registry/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @display(description="Tool", ordering="name", header=True)
    def header(self, obj: Tool) -> list[Any]:
        return [hidden.reveal(obj.label), hidden.reveal(obj.name), hidden.reveal(obj.name)[:2].upper()]

    @display(description="State", ordering="approved")
    def state(self, obj: Tool) -> SafeString:
        return tool_badge(obj)

    @display(description="Says of itself", empty_value="—")
    def effects(self, obj: Tool) -> str | None:
        return ", ".join(name.removesuffix("Hint") for name, value in obj.hints.items() if value) or None

    @display(description="Approved definition")
    def definition_text(self, obj: Tool) -> SafeString:
        from registry.review.difference import readable

        text = hidden.reveal(readable(obj.parsed)) if obj.definition else "Not approved yet."
        return format_html('<pre class="rg-code">{}</pre>', text)

    def perform_update(self, request: HttpRequest, obj: Tool, form: Any, before: dict[str, Any]) -> None:
        if "price" in form.changed_data:
            stored = Tool.objects.select_related("server").get(pk=obj.pk)
            actions.set_tool_price(actor=_actor(request), tool=stored, price=form.cleaned_data["price"])

    @admin.action(description="Withhold from callers", permissions=["change"])
    def withhold(self, request: HttpRequest, queryset: QuerySet[Tool]) -> None:
        for tool in queryset.select_related("server"):
            actions.withhold_tool(actor=_actor(request), tool=tool)

    @admin.action(description="Offer again", permissions=["change"])
    def offer(self, request: HttpRequest, queryset: QuerySet[Tool]) -> None:
        for tool in queryset.select_related("server"):
            actions.offer_tool(actor=_actor(request), tool=tool)


def _actor(request: HttpRequest) -> Any:
    return request.user
