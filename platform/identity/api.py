"""Teams, service accounts, keys and grants in the management API, over the same actions as the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from guardian.models import GroupObjectPermission, UserObjectPermission
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from adminkit.permissions import visible
from adminkit.rest import ActionViewSet, Refusals, ScopedPermission
from identity import actions
from identity.grantable import object_named
from identity.models import APIKey, ServiceAccount, Team, User
from identity.people_api import UserViewSet
from identity.queries import objects_behind
from identity.serializers import (
    GrantSerializer,
    IssuedKeySerializer,
    KeySerializer,
    KeyUpdateSerializer,
    RevokeSerializer,
    RotateSerializer,
    ServiceAccountSerializer,
    SubjectField,
    TeamSerializer,
)


class TeamViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    ActionViewSet,
):
    queryset = Team.objects.select_related("parent").order_by("name")
    serializer_class = TeamSerializer
    filterset_fields = ("name", "parent__name", "cost_center")

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = actions.create_team(actor=self.actor, **serializer.validated_data)

    def perform_update(self, serializer: Any) -> None:
        actions.update_team(actor=self.actor, team=serializer.instance, **serializer.validated_data)

    def perform_destroy(self, instance: Team) -> None:
        actions.delete_team(actor=self.actor, team=instance)


class ServiceAccountViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, mixins.UpdateModelMixin, ActionViewSet
):
    """Accounts are deactivated, not deleted: what they did refers to them."""

    queryset = ServiceAccount.objects.select_related("team").order_by("username")
    serializer_class = ServiceAccountSerializer
    filterset_fields = ("username", "team__name", "is_active")

    def perform_create(self, serializer: Any) -> None:
        data = serializer.validated_data
        account = actions.create_service_account(actor=self.actor, name=data["username"], team=data["team"])
        if data.get("is_active") is False:
            actions.update_user(actor=self.actor, user=account, is_active=False)
        serializer.instance = account

    def perform_update(self, serializer: Any) -> None:
        actions.update_user(actor=self.actor, user=serializer.instance, **serializer.validated_data)


class KeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, ActionViewSet):
    """Keys are revoked, not deleted."""

    queryset = APIKey.objects.select_related("owner__team").order_by("-pk")
    serializer_class = KeySerializer
    filterset_fields = ("name", "prefix", "owner__username", "owner__team__name", "purpose")

    def get_serializer_class(self) -> Any:
        return KeyUpdateSerializer if self.action in ("update", "partial_update") else KeySerializer

    @extend_schema(request=KeySerializer, responses={201: IssuedKeySerializer})
    def create(self, request: Request) -> Response:
        given = KeySerializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return self._issued(*actions.issue_key(actor=self.actor, **given.validated_data))

    def perform_update(self, serializer: Any) -> None:
        actions.update_key(actor=self.actor, key=serializer.instance, **serializer.validated_data)

    @extend_schema(request=RotateSerializer, responses={201: IssuedKeySerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str | None = None) -> Response:
        """A successor of the same name; both work for `overlap_seconds`."""
        key = self.get_object()
        given = RotateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        expires_at = given.validated_data.get("expires_at")
        return self._issued(*actions.rotate_key(actor=self.actor, key=key, overlap=given.overlap(), expires_at=expires_at))

    @extend_schema(request=RevokeSerializer, responses={200: KeySerializer})
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str | None = None) -> Response:
        """Ends a key now. Revoking a revoked key changes nothing."""
        key = self.get_object()
        given = RevokeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        actions.revoke_key(actor=self.actor, key=key, reason=given.validated_data["reason"])
        return Response(KeySerializer(key, context=self.get_serializer_context()).data)

    def _issued(self, key: APIKey, text: str) -> Response:
        shown = KeySerializer(key, context=self.get_serializer_context()).data
        return Response({**shown, "key": text}, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class GrantViewSet(Refusals, ViewSet):
    """Direct grants of the subjects that the caller can see. A grant's id is `team-<n>` or `user-<n>`."""

    permission_classes = (ScopedPermission,)
    queryset = None
    serializer_class = GrantSerializer

    @extend_schema(
        parameters=[OpenApiParameter("to", str, description="only those of this subject, e.g. team:research")],
        responses={200: GrantSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        teams, users = self._rows(request)
        rows = [*((f"team-{row.pk}", row.group.team, row) for row in teams), *((f"user-{row.pk}", row.user, row) for row in users)]
        if "to" in request.query_params:
            field = SubjectField()
            field.bind("to", GrantSerializer(context={"request": request}))
            wanted = field.run_validation(request.query_params["to"])
            rows = [row for row in rows if row[1] == wanted]
        objects = objects_behind({(row.content_type_id, row.object_pk) for _, _, row in rows})
        shown = [
            {"id": pk, "to": subject, "resource": objects[row.content_type_id, row.object_pk].resource_ref}
            for pk, subject, row in rows
            if (row.content_type_id, row.object_pk) in objects
        ]
        return Response(GrantSerializer(shown, many=True).data)

    @extend_schema(request=GrantSerializer, responses={201: GrantSerializer, 200: GrantSerializer})
    def create(self, request: Request) -> Response:
        """Answers 201 for a new grant and 200 for one that was there already."""
        given = GrantSerializer(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        to, obj = given.validated_data["to"], object_named(given.validated_data["resource"])
        user: Any = request.user
        new = actions.grant(actor=user, to=to, obj=obj)
        shown = {"id": _grant_id(to, obj), "to": to, "resource": obj.resource_ref}
        return Response(GrantSerializer(shown).data, status=status.HTTP_201_CREATED if new else status.HTTP_200_OK)

    @extend_schema(parameters=[OpenApiParameter("id", str, OpenApiParameter.PATH)], responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        kind, _, number = (pk or "").partition("-")
        teams, users = self._rows(request)
        rows: Any = teams if kind == "team" else users if kind == "user" else None
        row = rows.filter(pk=number).first() if rows is not None and number.isdecimal() else None
        obj = next(iter(objects_behind({(row.content_type_id, row.object_pk)}).values()), None) if row is not None else None
        if row is None or obj is None:
            raise Http404
        user: Any = request.user
        actions.withdraw(actor=user, to=row.group.team if kind == "team" else row.user, obj=obj)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _rows(self, request: Request) -> tuple[QuerySet[Any], QuerySet[Any]]:
        teams = visible(Team.objects.all(), request.user).values("group")
        users = visible(User.objects.all(), request.user).values("pk")
        use = {"permission__codename__startswith": "use_"}
        return (
            GroupObjectPermission.objects.filter(group__in=teams, **use).select_related("group__team").order_by("pk"),
            UserObjectPermission.objects.filter(user__in=users, **use).select_related("user").order_by("pk"),
        )


def _grant_id(to: Team | User, obj: Any) -> str:
    of_object = {"content_type": ContentType.objects.get_for_model(obj), "object_pk": str(obj.pk)}
    if isinstance(to, Team):
        return f"team-{GroupObjectPermission.objects.get(group=to.group, permission__codename__startswith='use_', **of_object).pk}"
    return f"user-{UserObjectPermission.objects.get(user=to, permission__codename__startswith='use_', **of_object).pk}"


def api_routes() -> list[tuple[str, type[Any], str]]:
    return [
        ("teams", TeamViewSet, "team"),
        ("users", UserViewSet, "user"),
        ("service-accounts", ServiceAccountViewSet, "service-account"),
        ("keys", KeyViewSet, "key"),
        ("grants", GrantViewSet, "grant"),
    ]
