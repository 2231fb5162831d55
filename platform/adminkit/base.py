"""The base of every admin of the house: reads go through object permissions, writes go through actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.dataclasses import UnfoldAction

from adminkit import permissions
from adminkit.checks import ActionAdminChecks
from adminkit.export import export_csv
from adminkit.history import AuditHistory
from adminkit.paginator import EstimatedCountPaginator
from adminkit.reading import ScopedReads
from adminkit.safety import guarded
from adminkit.writing import ActionWrites


class ActionAdmin(ActionWrites, ScopedReads, AuditHistory, ModelAdmin):
    """ModelAdmin whose writes are calls of an app's actions.

    A subclass implements those of `perform_create`, `perform_update`, `perform_delete` that it allows (what is missing
    is not offered), and `perform_inlines` when an inline of it may write.

    `scoped` False is for models that belong to no team and have no object permissions, such as the audit trail: there
    Django's model permissions decide. `owner_team_field` overrides what the model says. `export_fields` names what the
    CSV export holds; none, no export.
    """

    checks_class = ActionAdminChecks
    paginator = EstimatedCountPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True

    export_fields: ClassVar[Sequence[str]] = ()
    export_limit: ClassVar[int] = 100_000

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if self.export_fields:
            actions["export_csv"] = (export_csv, "export_csv", "Export as CSV")
        return {name: (_per_object(func), name, description) for name, (func, _, description) in actions.items()}

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        """What is not there yet has nothing below it to show."""
        inlines = super().get_inlines(request, obj)
        return [inline for inline in inlines if obj is not None or not issubclass(inline, ReadOnlyInline)]

    def get_unfold_action(self, action: str) -> UnfoldAction:
        found = super().get_unfold_action(action)
        if action not in self._extract_action_names(self.actions_submit_line):
            plain = copy(found)

            def allowed(request: HttpRequest, object_id: str | None) -> bool:
                return bool(self._filter_unfold_actions_by_permissions(request, [plain], object_id))

            found.method = guarded(self, found.method, title=str(found.description), allowed=allowed)
        return found


def _per_object(func: Callable[..., Any]) -> Callable[..., Any]:
    """A bulk action that declares permissions is refused as a whole if they do not hold for every selected object.
    Django itself only asks for the model."""
    verbs = [verb for verb in getattr(func, "allowed_permissions", ()) if verb in permissions.READS]

    def run(admin: ActionAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for verb in verbs if admin.scoped else ():
            allowed = permissions.permitted(admin.model._base_manager.all(), request.user, verb, owner_field=admin.owner_team_field)
            if queryset.exclude(pk__in=allowed.order_by().values("pk")).exists():
                raise PermissionDenied(f"You may not {verb} all of these.")
        with transaction.atomic():
            return func(admin, request, queryset)

    run.__name__ = getattr(func, "__name__", "action")
    return run


class ReadOnlyInline(TabularInline):
    """Rows shown below their parent and changed elsewhere."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True
