"""What the management API shows of identity and what it takes. Fields that are not named here can't be set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from adminkit.permissions import visible
from identity.models import APIKey, ServiceAccount, Team, User
from identity.queries import team_path


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt limit must not silently be no limit."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class VisibleField(serializers.SlugRelatedField[Any]):
    """A reference by name to something that the caller can see. What they can't see does not exist."""

    def get_queryset(self) -> Any:
        request = self.context.get("request")
        queryset = super().get_queryset()
        return visible(queryset, request.user) if request is not None and queryset is not None else queryset


class TeamSerializer(Strict, serializers.ModelSerializer[Team]):
    parent = VisibleField(slug_field="name", queryset=Team.objects.all(), allow_null=True, required=False)  # type: ignore[assignment]
    path = serializers.SerializerMethodField(help_text="From the organization down to this team.")

    class Meta:
        model = Team
        fields = ("id", "name", "parent", "path", "cost_center", "rpm", "tpm", "concurrency", "created_at")
        read_only_fields = ("id", "created_at")

    def get_path(self, team: Team) -> list[str]:
        return [ancestor.name for ancestor in reversed(team_path(team))]


class ServiceAccountSerializer(Strict, serializers.ModelSerializer[ServiceAccount]):
    name = serializers.CharField(source="username", max_length=150)
    team = VisibleField(slug_field="name", queryset=Team.objects.all())

    class Meta:
        model = ServiceAccount
        fields = ("id", "name", "team", "is_active", "date_joined")
        read_only_fields = ("id", "date_joined")


class KeySerializer(Strict, serializers.ModelSerializer[APIKey]):
    owner = VisibleField(slug_field="username", queryset=User.objects.all())
    state = serializers.ChoiceField(choices=["active", "rotated", "expired", "revoked"], read_only=True)
    replaced_by = serializers.PrimaryKeyRelatedField[APIKey](read_only=True)

    class Meta:
        model = APIKey
        fields = (
            "id", "name", "owner", "prefix", "state", "created_at", "expires_at", "revoked_at", "rotated_at", "replaced_by", "last_used_at",
            "rpm", "tpm", "concurrency", "use_cache", "purpose",
        )  # fmt: skip
        read_only_fields = ("id", "prefix", "purpose", "created_at", "revoked_at", "rotated_at", "last_used_at")
        # Names are unique among an owner's current keys; the action tells it, in the same words as the admin.
        validators: tuple[Any, ...] = ()


class KeyUpdateSerializer(KeySerializer):
    owner = serializers.CharField(source="owner.username", read_only=True)  # type: ignore[assignment]


class IssuedKeySerializer(KeySerializer):
    """The one answer that holds a key's text."""

    key = serializers.CharField(read_only=True, help_text="The key itself. It is in this answer and nowhere else.")

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "key")  # type: ignore[assignment]


class RotateSerializer(Strict):
    overlap_seconds = serializers.IntegerField(default=86_400, min_value=0, max_value=90 * 86_400, help_text="How long both keys work.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def overlap(self) -> timedelta:
        return timedelta(seconds=self.validated_data["overlap_seconds"])


class RevokeSerializer(Strict):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300, default="")


@extend_schema_field({"type": "string", "example": "team:research", "pattern": "^(team|user):.+$"})
class SubjectField(serializers.Field[Any, str, str, Any]):
    """`team:<name>` or `user:<name>` (people, service accounts and agents), of those that the caller can see."""

    default_error_messages = {"unknown": "There is no {value}.", "shape": "Write team:<name> or user:<name>."}

    def to_representation(self, value: Team | User) -> str:
        return f"team:{value.name}" if isinstance(value, Team) else f"user:{value.username}"

    def to_internal_value(self, data: Any) -> Team | User:
        kind, _, name = data.partition(":") if isinstance(data, str) else ("", "", "")
        user = self.context["request"].user
        if kind not in ("team", "user") or not name:
            self.fail("shape")
        found: Any
        if kind == "team":
            found = visible(Team.objects.filter(name=name), user).first()
        else:
            found = visible(User.objects.filter(username=name), user).first()
        if found is None:
            self.fail("unknown", value=data)
        subject: Team | User = found
        return subject


class GrantSerializer(Strict):
    """One thing that one subject may use, granted to it directly."""

    id = serializers.CharField(read_only=True)
    to = SubjectField()
    resource = serializers.CharField(max_length=300, help_text="e.g. model:gpt-4o-mini, server:weather, tool:weather/get_forecast")
