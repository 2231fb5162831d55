"""What the management API shows of the registry and what it takes; the names are those of the config file."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from identity.models import Team, User
from identity.serializers import Strict, VisibleField
from registry.catalog.index import state_of
from registry.choices import Era
from registry.models import Agent, AgentVersion, Collection, Review, Server, ServerVersion, Skill, SkillVersion, Tool, Toolset

HEALTH = ("health", "checked_at", "failed_checks", "last_error", "latency_ms")
TIMES = ("created_at", "updated_at")


class ItemSerializer(Strict, serializers.ModelSerializer[Any]):
    """What every item shows. `team` is its owner; `state` is one word for where it stands."""

    team = VisibleField(slug_field="name", queryset=Team.objects.all(), source="owner_team", allow_null=True, required=False)
    state = serializers.SerializerMethodField()

    def get_state(self, item: Any) -> str:
        return state_of(item)


class VersionedSerializer(ItemSerializer):
    live_version = serializers.SlugRelatedField[Any](slug_field="version", read_only=True)


class ServerSerializer(VersionedSerializer):
    """`url` and `version` are taken when it is registered; afterwards they change by a version that is reviewed."""

    era = serializers.ChoiceField(choices=Era.choices, default=Era.AUTO)
    version = serializers.CharField(write_only=True, required=False, max_length=64)
    credential = serializers.CharField(write_only=True, required=False, help_text="Sealed on arrival, never shown.")
    has_credential = serializers.BooleanField(read_only=True)
    has_drifted = serializers.BooleanField(read_only=True)

    class Meta:
        model = Server
        chosen = ("name", "slug", "url", "version", "title", "description", "team", "discoverable", "era", "allow_private_network")
        fields = (
            *("id", *chosen, "credential", "credential_header", "has_credential", "state", "status", "status_reason", "live_version"),
            *("has_drifted", *HEALTH, *TIMES),
        )
        read_only_fields = ("id", "status", "status_reason", *HEALTH, *TIMES)


class AgentSerializer(VersionedSerializer):
    sponsor = VisibleField(slug_field="username", queryset=User.objects.all(), allow_null=True, required=False)
    identity = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    version = serializers.CharField(write_only=True, required=False, max_length=64)
    credential = serializers.CharField(write_only=True, required=False, help_text="Sealed on arrival, never shown.")
    has_credential = serializers.BooleanField(read_only=True)
    has_drifted = serializers.BooleanField(read_only=True)

    class Meta:
        model = Agent
        chosen = ("slug", "url", "version", "name", "description", "team", "sponsor", "discoverable", "price", "allow_private_network")
        fields = (
            *("id", *chosen, "credential", "credential_header", "has_credential", "identity", "state", "status", "status_reason"),
            *("live_version", "has_drifted", *HEALTH, *TIMES),
        )
        read_only_fields = ("id", "status", "status_reason", *HEALTH, *TIMES)


class SkillSerializer(VersionedSerializer):
    """`archive` is a zip or tar.gz; on an existing skill it becomes a new version."""

    archive = serializers.FileField(write_only=True, required=False)
    collections = serializers.SlugRelatedField[Any](slug_field="slug", many=True, read_only=True)

    class Meta:
        model = Skill
        fields = (
            *("id", "name", "description", "team", "discoverable", "archive", "collections"),
            *("state", "status", "status_reason", "live_version", *TIMES),
        )
        read_only_fields = ("id", "name", "description", "status", "status_reason", *TIMES)


class ToolsetSerializer(ItemSerializer):
    members = serializers.ListField(child=serializers.CharField(max_length=200), allow_empty=False)

    class Meta:
        model = Toolset
        fields = ("id", "slug", "name", "description", "members", "team", "discoverable", "state", "status", "status_reason", *TIMES)
        read_only_fields = ("id", "status", "status_reason", *TIMES)
        extra_kwargs = {"name": {"required": False}}


class CollectionSerializer(Strict, serializers.ModelSerializer[Collection]):
    team = VisibleField(slug_field="name", queryset=Team.objects.all(), source="owner_team", allow_null=True, required=False)
    skills = VisibleField(slug_field="name", queryset=Skill.objects.all(), many=True, required=False)

    class Meta:
        model = Collection
        fields = ("id", "slug", "title", "description", "team", "skills", *TIMES)
        read_only_fields = ("id", *TIMES)


class ToolSerializer(Strict, serializers.ModelSerializer[Tool]):
    server = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    definition = serializers.SerializerMethodField(help_text="As approved; null before the first approval.")
    price = serializers.DecimalField(max_digits=24, decimal_places=12, min_value=0, allow_null=True, required=False)

    class Meta:
        model = Tool
        fields = ("id", "server", "name", "approved", "withheld", "price", "digest", "definition")
        read_only_fields = ("id", "name", "approved", "withheld", "digest")

    @extend_schema_field({"type": "object", "nullable": True})
    def get_definition(self, tool: Tool) -> dict[str, Any] | None:
        return tool.parsed or None


_VERSION = (
    *("id", "version", "state", "digest", "found_by_refresh", "submitted_by", "submitted_at"),
    *("reviewed_by", "reviewed_at", "reason", "created_by", "created_at"),
)


class VersionSerializer(serializers.ModelSerializer[Any]):
    state = serializers.CharField(read_only=True, help_text="draft, pending, approved, rejected or deprecated.")
    submitted_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    reviewed_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)


class ServerVersionSerializer(VersionSerializer):
    server = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    tools = serializers.SerializerMethodField()

    class Meta:
        model = ServerVersion
        fields = ("server", *_VERSION, "url", "era", "capabilities", "instructions", "document", "problems", "tools")
        read_only_fields = fields

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_tools(self, version: ServerVersion) -> list[str]:
        return [definition.name for definition in version.definitions.all()]


class AgentVersionSerializer(VersionSerializer):
    agent = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)

    class Meta:
        model = AgentVersion
        fields = ("agent", *_VERSION, "url", "card_url", "protocol_version", "parsed")
        read_only_fields = fields


class SkillVersionSerializer(VersionSerializer):
    skill = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)

    class Meta:
        model = SkillVersion
        fields = ("skill", *_VERSION, "frontmatter", "size", "file_count", "problems", "source")
        read_only_fields = fields


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """`findings` are what deserves a second look, `difference` what would change."""

    requested_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    decided_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)
    team = serializers.SlugRelatedField[Any](slug_field="name", source="owner_team", read_only=True)

    class Meta:
        model = Review
        fields = (
            *("id", "kind", "title", "item_ref", "subject_id", "team", "requested_by", "requested_at", "note", "digest", "risk"),
            *("findings", "difference", "decision", "decided_by", "decided_at", "reason"),
        )
        read_only_fields = fields


class ReasonSerializer(Strict):
    reason = serializers.CharField(max_length=2000)


class OptionalReasonSerializer(Strict):
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class ApprovalSerializer(OptionalReasonSerializer):
    digest = serializers.CharField(max_length=64, required=False, help_text="What was looked at; anything else is refused.")


class NoteSerializer(Strict):
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class ProposalSerializer(Strict):
    url = serializers.CharField(max_length=1000, required=False)
    version = serializers.CharField(max_length=64, required=False)


class CredentialSerializer(Strict):
    credential = serializers.CharField(allow_null=True, help_text="Null takes it away.")
    header = serializers.CharField(max_length=100, required=False)
