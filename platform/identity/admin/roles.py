from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.checks import WRITES
from identity import actions
from identity.models import Role


def given_in_roles() -> QuerySet[Permission]:
    """The permissions on models with an admin: a proxy asks for those of its table, the use of a thing is granted on the
    thing, and what belongs to no team and is only read (the audit trail) is only seen."""
    wanted = Q(pk__in=())
    for model, site in admin.site._registry.items():
        if not isinstance(site, ActionAdmin) or model._meta.proxy:
            continue
        of_model = Q(content_type__app_label=model._meta.app_label, content_type__model=model._meta.model_name)
        if not site.scoped and not any(site.performs(write) for write in WRITES):
            of_model &= Q(codename__startswith="view_")
        wanted |= of_model
    return Permission.objects.filter(wanted).exclude(codename__startswith="use_").select_related("content_type")


@admin.register(Role)
class RoleAdmin(ActionAdmin):
    scoped = False
    list_display = ("name", "permission_count", "holder_count")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "permissions")
    filter_horizontal = ("permissions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        counts = {"allowed": Count("permissions", distinct=True), "holders": Count("user", distinct=True)}
        return super().get_queryset(request).annotate(**counts)

    @display(description="Permissions")
    def permission_count(self, role: Any) -> int:
        return int(role.allowed)

    @display(description="Held by")
    def holder_count(self, role: Any) -> int:
        return int(role.holders)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = given_in_roles()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def perform_create(self, request: HttpRequest, obj: Any, form: Any) -> Role:
        actor: Any = request.user
        return actions.create_role(actor=actor, **form.cleaned_data)

    def perform_update(self, request: HttpRequest, obj: Any, form: Any, before: dict[str, Any]) -> None:
        actor: Any = request.user
        actions.update_role(actor=actor, role=obj, **{name: form.cleaned_data[name] for name in form.changed_data})

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        actor: Any = request.user
        actions.delete_role(actor=actor, role=obj)
