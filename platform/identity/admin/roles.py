from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from identity import actions
from identity.models import Role

NOT_GIVEN = ("admin", "auth", "contenttypes", "sessions", "guardian", "django_celery_beat")
"""Apps whose tables are nobody's to change by hand; their permissions are not offered."""


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
        offered = Permission.objects.exclude(content_type__app_label__in=NOT_GIVEN).select_related("content_type")
        kwargs["queryset"] = offered.exclude(codename__startswith="use_")  # those are granted on objects
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
