from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelect2MultipleWidget

from adminkit.admin import ActionAdmin, ReadOnlyInline
from adminkit.pages import form_page
from identity import actions
from identity.admin.grants import GrantsPage
from identity.models import AgentIdentity, APIKey, Role, ServiceAccount, User


class KeysInline(ReadOnlyInline):
    model = APIKey
    fk_name = "owner"
    fields = ("name", "prefix", "state", "expires_at", "last_used_at")
    readonly_fields = fields
    tab = True


class PasswordForm(forms.Form):
    password = forms.CharField(label="New password", strip=False, widget=UnfoldAdminPasswordWidget)
    again = forms.CharField(label="Once more", strip=False, widget=UnfoldAdminPasswordWidget)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("password") != data.get("again"):
            self.add_error("again", "These are not the same.")
        return data


_HELD: dict[Any, str] = {"roles": "held_roles"}


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    roles = forms.ModelMultipleChoiceField(
        Role.objects.all(),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text="What this person may do with the things of the own team and of those below.",
    )

    class Meta:
        model = User
        fields = "__all__"  # noqa: DJ007  the admin's fieldsets choose

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["roles"] = Role.objects.filter(user=self.instance)


class AccountAdmin(GrantsPage, ActionAdmin):
    """What people, service accounts and agent identities have in common. `kind` None shows all three."""

    kind: ClassVar[User.Kind | None] = None

    list_filter: tuple[str, ...] = ("team", "is_active")
    search_fields = ("username", "email", "first_name", "last_name")
    autocomplete_fields = ("team",)
    inlines = (KeysInline,)
    actions_detail: tuple[str, ...] = ("grants",)
    export_fields: ClassVar[Sequence[str]] = ("username", "team__name", "is_active", "date_joined", "last_login")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        accounts = super().get_queryset(request).select_related("team")
        return accounts if self.kind is None else accounts.filter(kind=self.kind)

    def perform_update(self, request: HttpRequest, obj: Any, form: Any, before: dict[str, Any]) -> None:
        actor: Any = request.user
        actions.update_user(actor=actor, user=obj, **{name: form.cleaned_data[name] for name in form.changed_data})


@admin.register(User)
class UserAdmin(AccountAdmin):
    """All accounts, since keys and grants are given to any; the two other admins show theirs alone."""

    list_display = ("username", "kind_label", "email", "team", "role", "is_active", "last_login")
    list_filter = ("kind", "team", "is_active", "is_staff", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", ("first_name", "last_name"), "email", "team")}),
        ("Power", {"fields": ("is_active", "is_staff", "is_superuser", "roles")}),
        ("Seen", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = fieldsets[:2]
    form = PersonForm
    readonly_fields = ("last_login", "date_joined")
    actions_detail = ("grants", "set_password")
    export_fields = ("username", "email", "first_name", "last_name", "team__name", "is_active", "is_staff", "is_superuser", "last_login")

    @display(description="Kind", ordering="kind", label={"person": "info", "service_account": "success", "agent": "warning"})
    def kind_label(self, user: User) -> tuple[str, str]:
        return user.kind, user.get_kind_display()

    @display(description="Role", label={"superuser": "danger", "staff": "warning", "member": "info"})
    def role(self, user: User) -> str:
        return "superuser" if user.is_superuser else "staff" if user.is_staff else "member"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What the actions would refuse is not offered."""
        if obj is not None and obj.kind != User.Kind.PERSON:
            return (*self.readonly_fields, "email", "first_name", "last_name", "is_staff", "is_superuser", "held_roles")
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, "is_superuser", "held_roles")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Roles are chosen by superusers and for people; others see them."""
        fieldsets = super().get_fieldsets(request, obj)
        if _chooses_roles(request, obj):
            return fieldsets
        return [(title, {**shown, "fields": [_HELD.get(name, name) for name in shown["fields"]]}) for title, shown in fieldsets]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if not _chooses_roles(request, obj):
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    @display(description="Roles")
    def held_roles(self, user: User) -> str:
        return ", ".join(role.name for role in user.roles) or "-" if user.pk else "-"

    def perform_create(self, request: HttpRequest, obj: User, form: Any) -> User:
        actor: Any = request.user
        roles = form.cleaned_data.pop("roles", None)
        user = actions.create_user(actor=actor, **form.cleaned_data)
        if roles:
            actions.give_roles(actor=actor, user=user, roles=roles)
        return user

    def perform_update(self, request: HttpRequest, obj: Any, form: Any, before: dict[str, Any]) -> None:
        actor: Any = request.user
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        roles = values.pop("roles", None)
        actions.update_user(actor=actor, user=obj, **values)
        if roles is not None:
            actions.give_roles(actor=actor, user=obj, roles=roles)

    @action(description="Set password", icon="password", permissions=["change"])
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_object(request, object_id)
        form = PasswordForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            actor: Any = request.user
            actions.set_password(actor=actor, user=user, password=form.cleaned_data["password"])
            messages.success(request, f"{user} has a new password; other sessions of this account have ended.")
            return HttpResponseRedirect(self.url_of(user.pk))
        return form_page(
            self, request, form=form, title=f"New password for {user}", back=self.url_of(user.pk), submit="Set password", original=user
        )


def _chooses_roles(request: HttpRequest, obj: Any) -> bool:
    return bool(request.user.is_superuser) and (obj is None or obj.kind == User.Kind.PERSON)


class _NamedAdmin(AccountAdmin):
    list_display = ("username", "team", "is_active", "date_joined")
    fieldsets = ((None, {"fields": ("username", "team", "is_active")}),)
    add_fieldsets = ((None, {"fields": ("username", "team")}),)


@admin.register(ServiceAccount)
class ServiceAccountAdmin(_NamedAdmin):
    kind = User.Kind.SERVICE_ACCOUNT

    def perform_create(self, request: HttpRequest, obj: Any, form: Any) -> User:
        actor: Any = request.user
        return actions.create_service_account(actor=actor, name=form.cleaned_data["username"], team=form.cleaned_data["team"])


@admin.register(AgentIdentity)
class AgentIdentityAdmin(_NamedAdmin):
    kind = User.Kind.AGENT

    def perform_create(self, request: HttpRequest, obj: Any, form: Any) -> User:
        actor: Any = request.user
        return actions.create_agent_identity(actor=actor, name=form.cleaned_data["username"], team=form.cleaned_data["team"])
