"""People in the management API. Programs and agents have addresses of their own."""

from __future__ import annotations

from typing import Any

from rest_framework import mixins, serializers

from adminkit.rest import ActionViewSet
from identity import actions
from identity.models import Role, Team, User
from identity.serializers import Strict, VisibleField


class UserSerializer(Strict, serializers.ModelSerializer[User]):
    team = VisibleField(slug_field="name", queryset=Team.objects.all(), allow_null=True, required=False)
    roles = serializers.SlugRelatedField(slug_field="name", queryset=Role.objects.all(), many=True, required=False)
    password = serializers.CharField(write_only=True, required=False, max_length=200, trim_whitespace=False)

    class Meta:
        model = User
        fields = (
            "id", "username", "email", "first_name", "last_name", "team", "is_active", "is_staff", "is_superuser", "roles", "password",
            "last_login", "date_joined",
        )  # fmt: skip
        read_only_fields = ("id", "last_login", "date_joined")


class UserViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, mixins.UpdateModelMixin, ActionViewSet):
    """Accounts are deactivated, not deleted: what they did refers to them."""

    queryset = User.objects.filter(kind=User.Kind.PERSON).select_related("team").prefetch_related("groups__team").order_by("username")
    serializer_class = UserSerializer
    filterset_fields = ("username", "email", "team__name", "is_active", "is_staff", "is_superuser")

    def perform_create(self, serializer: Any) -> None:
        values = dict(serializer.validated_data)
        roles = values.pop("roles", None)
        serializer.instance = actions.create_user(actor=self.actor, **values)
        if roles:
            actions.give_roles(actor=self.actor, user=serializer.instance, roles=roles)

    def perform_update(self, serializer: Any) -> None:
        values = dict(serializer.validated_data)
        roles, password = values.pop("roles", None), values.pop("password", None)
        actions.update_user(actor=self.actor, user=serializer.instance, **values)
        if roles is not None:
            actions.give_roles(actor=self.actor, user=serializer.instance, roles=roles)
        if password is not None:
            actions.set_password(actor=self.actor, user=serializer.instance, password=password)
