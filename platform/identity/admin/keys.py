from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from adminkit.admin import ActionAdmin
from adminkit.pages import form_page, page
from identity import actions
from identity.admin.teams import limits_text
from identity.models import APIKey

OVERLAPS = ((0, "none: the old key ends now"), (1, "1 hour"), (24, "1 day"), (24 * 7, "7 days"), (24 * 30, "30 days"))


class StateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in ("active", "rotated", "expired", "revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> QuerySet[APIKey]:
        alive = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        conditions = {
            "revoked": Q(revoked_at__isnull=False),
            "expired": Q(revoked_at__isnull=True) & ~alive,
            "rotated": Q(revoked_at__isnull=True, rotated_at__isnull=False) & alive,
            "active": Q(revoked_at__isnull=True, rotated_at__isnull=True) & alive,
        }
        value = self.value()
        return queryset.filter(conditions[value]) if value in conditions else queryset


class MadeByFilter(DropdownFilter):
    """Keys that a page made for itself are many and gone in minutes: they are listed when they are asked for or searched."""

    title = "made by"
    parameter_name = "made_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("page", "a page of the house"), ("any", "anybody")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> QuerySet[APIKey]:
        if self.value() == "page":
            return queryset.exclude(purpose="")
        return queryset if self.value() == "any" or request.GET.get("q") else queryset.filter(purpose="")


class RotateForm(forms.Form):
    overlap = forms.TypedChoiceField(
        label="How long both keys work", choices=OVERLAPS, coerce=int, initial=24, widget=UnfoldAdminSelectWidget
    )


class RevokeForm(forms.Form):
    reason = forms.CharField(label="Why (kept in the audit trail)", required=False, max_length=300, widget=UnfoldAdminTextInputWidget)


@admin.register(APIKey)
class APIKeyAdmin(ActionAdmin):
    list_display = ("name", "shown_prefix", "owner", "team", "shown_state", "expires_at", "last_used_at", "limits")
    list_filter = (StateFilter, MadeByFilter, "owner__kind", "owner__team")
    list_select_related = ("owner__team",)
    search_fields = ("name", "=prefix", "owner__username")
    search_help_text = "Name, the eight public characters, or owner"
    date_hierarchy = None
    autocomplete_fields = ("owner",)
    fieldsets = (
        (None, {"fields": ("name", "owner", "shown_prefix", "shown_state")}),
        ("Life", {"fields": ("created_at", "expires_at", "revoked_at", "rotated_at", "replaced_by", "last_used_at")}),
        ("Limits of this key", {"fields": (("rpm", "tpm", "concurrency"), "use_cache")}),
    )
    add_fieldsets = (
        (None, {"fields": ("name", "owner", "expires_at")}),
        ("Limits of this key", {"fields": (("rpm", "tpm", "concurrency"), "use_cache")}),
    )
    readonly_fields = ("shown_prefix", "shown_state", "created_at", "revoked_at", "rotated_at", "replaced_by", "last_used_at")
    actions = ("revoke_selected",)
    actions_detail = ("rotate", "revoke")
    export_fields = (
        "name",
        "prefix",
        "owner__username",
        "owner__kind",
        "owner__team__name",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
    )

    @display(description="Key")
    def shown_prefix(self, key: APIKey) -> str:
        return f"ch_{key.prefix}_…" if key.prefix else "-"

    @display(description="Team", ordering="owner__team__name")
    def team(self, key: APIKey) -> str:
        return str(key.owner.team or "-")

    @display(description="State", label={"active": "success", "rotated": "info", "expired": "warning", "revoked": "danger"})
    def shown_state(self, key: APIKey) -> str:
        return key.state

    @display(description="Limits")
    def limits(self, key: APIKey) -> str:
        return limits_text(key)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("owner", *self.readonly_fields)

    def perform_create(self, request: HttpRequest, obj: APIKey, form: Any) -> APIKey:
        actor: Any = request.user
        key, text = actions.issue_key(actor=actor, **form.cleaned_data)
        request._issued_key = text  # type: ignore[attr-defined]
        return key

    def perform_update(self, request: HttpRequest, obj: APIKey, form: Any, before: dict[str, Any]) -> None:
        actor: Any = request.user
        actions.update_key(actor=actor, key=obj, **{name: form.cleaned_data[name] for name in form.changed_data})

    def response_add(self, request: HttpRequest, obj: APIKey, post_url_continue: Any = None) -> HttpResponse:
        return self._reveal(request, obj, request._issued_key)  # type: ignore[attr-defined]

    @action(description="Rotate", icon="autorenew", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.get_object(request, object_id)
        form = RotateForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            actor: Any = request.user
            new, text = actions.rotate_key(actor=actor, key=key, overlap=timedelta(hours=form.cleaned_data["overlap"]))
            return self._reveal(request, new, text)
        return form_page(self, request, form=form, title=f"Rotate {key}", back=self.url_of(key.pk), submit="Rotate", original=key)

    @action(description="Revoke", icon="block", permissions=["change"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.get_object(request, object_id)
        form = RevokeForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            actor: Any = request.user
            actions.revoke_key(actor=actor, key=key, reason=form.cleaned_data["reason"])
            messages.success(request, f"{key} is revoked.")
            return HttpResponseRedirect(self.url_of(key.pk))
        return form_page(self, request, form=form, title=f"Revoke {key}", back=self.url_of(key.pk), submit="Revoke now", original=key)

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> None:
        actor: Any = request.user
        for key in queryset.select_related("owner__team"):
            actions.revoke_key(actor=actor, key=key)
        messages.success(request, "Revoked. Calls with these keys are refused from now on.")

    def _reveal(self, request: HttpRequest, key: APIKey, text: str) -> HttpResponse:
        """The one time that a key's text is shown: in the answer to the POST that made it, stored nowhere on the way."""
        response = page(
            self, request, "identity/key.html", title=f"Key {key.name}", key=key, text=text, back=self.url_of(key.pk), original=key
        )
        response["Cache-Control"] = "no-store"
        return response
