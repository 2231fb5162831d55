"""The audit trail in the management API: read-only, newest first, as deep as one likes."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters
from rest_framework import mixins, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from adminkit import permissions
from audit.models import AuditEvent


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    class Meta:
        model = AuditEvent
        fields = (
            "id", "at", "actor_ref", "actor_name", "action", "target_type", "target_id", "target_label", "changes", "extra", "prev_hash",
            "hash",
        )  # fmt: skip
        read_only_fields = fields


class AuditEventFilter(filters.FilterSet):
    """`since` is included, `until` is not. `action` is a beginning: `identity.` or `identity.key.revoke`."""

    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")
    action = filters.CharFilter(lookup_expr="startswith")
    after = filters.NumberFilter(field_name="id", lookup_expr="gt", label="events after this position in the chain")

    class Meta:
        model = AuditEvent
        fields = ("actor_ref", "actor_name", "target_type", "target_id")


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000


class MayReadTrail(BasePermission):
    """The trail belongs to no team: it takes the model permission, which tells of all of them."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        known = bool(user and user.is_authenticated and user.is_active and user.is_staff)
        return known and bool(user.has_perm(permissions.codename(AuditEvent, "view")))


class AuditEventViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[AuditEvent]):
    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    permission_classes = (MayReadTrail,)
    pagination_class = NewestFirst
    filterset_class = AuditEventFilter


def api_routes() -> list[tuple[str, type[Any], str]]:
    return [("audit-events", AuditEventViewSet, "audit-event")]
