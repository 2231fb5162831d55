"""The admin of toolsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from registry import actions, queries
from registry.admin.base import ItemAdmin
from registry.models import Toolset

if TYPE_CHECKING:
    _Form = forms.ModelForm[Any]
else:
    _Form = forms.ModelForm


class MembersField(forms.CharField):
    """Patterns, one a line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class ToolsetForm(_Form):
    members = MembersField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false", "placeholder": "weather/get_forecast\ntracker/*"}),
        help_text="One a line: server/tool, or server/* for all approved tools of a server.",
    )

    class Meta:
        model = Toolset
        fields = ("slug", "name", "description", "owner_team", "discoverable", "members")


@admin.register(Toolset)
class ToolsetAdmin(ItemAdmin):
    word = "toolset"
    has_versions = False
    update = staticmethod(actions.update_toolset)
    form = ToolsetForm
    list_display = ("header", "state", "member_list", "owner_team", "discoverable")
    list_filter = (("status", ChoicesDropdownFilter), ("owner_team", RelatedDropdownFilter), "discoverable")
    search_fields = ("slug", "name", "description")
    fieldsets = ((None, {"fields": (("slug", "name"), "members", "description", ("owner_team", "discoverable"))}),)
    export_fields = ("slug", "name", "owner_team__name", "status", "discoverable")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    @display(description="Toolset", ordering="slug", header=True)
    def header(self, obj: Toolset) -> list[Any]:
        return [obj.label, obj.slug, obj.slug[:2].upper()]

    @display(description="Members")
    def member_list(self, obj: Toolset) -> str:
        return ", ".join(obj.members[:4]) + (f" and {len(obj.members) - 4} more" if len(obj.members) > 4 else "")

    def panels(self, request: HttpRequest, item: Toolset) -> dict[str, Any]:
        members = queries.toolset_members(item)
        return {
            **super().panels(request, item),
            "address": f"/mcp/{item.slug}",
            "members": members[:200],
            "more_members": max(0, len(members) - 200),
        }

    def perform_create(self, request: HttpRequest, obj: Toolset, form: Any) -> Toolset:
        return actions.create_toolset(actor=request.user, **form.cleaned_data)  # type: ignore[arg-type]
