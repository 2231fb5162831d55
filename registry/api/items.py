"""Servers, agents, skills, toolsets, collections and tools in the management API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from adminkit.rest import ActionViewSet
from registry import actions
from registry.api import serializers
from registry.models import Agent, Collection, Server, Skill, Tool, Toolset

# What is proposed or stored by a call of its own, and not by changing the item.
_AT_REGISTRATION = ("name", "slug", "url", "version", "credential", "credential_header")


class ItemViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    ActionViewSet,
):
    """`word` is the item's parameter in its actions. Changing takes PATCH: an item is never replaced as a whole."""

    http_method_names = ("get", "head", "options", "post", "patch", "delete")
    word: ClassVar[str]
    update_with: ClassVar[Callable[..., Any]]
    fixed: ClassVar[tuple[str, ...]] = ()

    def perform_update(self, serializer: Any) -> None:
        values = dict(serializer.validated_data)
        for name in self.fixed:
            if name in values:
                raise ValidationError({name: ["This is chosen at registration. Propose another version, or set the credential."]})
        type(self).update_with(actor=self.actor, **{self.word: serializer.instance}, **values)
        serializer.instance = self.get_queryset().get(pk=serializer.instance.pk)

    def perform_destroy(self, instance: Any) -> None:
        actions.delete_item(actor=self.actor, item=instance)

    def _shown(self, item: Any) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=item.pk)).data)

    @extend_schema(request=serializers.ReasonSerializer)
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, pk: str | None = None) -> Response:
        """Quarantine: callers are refused within a second."""
        item = self.get_object()
        actions.freeze(actor=self.actor, item=item, **checked(serializers.ReasonSerializer, request))
        return self._shown(item)

    @extend_schema(request=serializers.ReasonSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: str | None = None) -> Response:
        item = self.get_object()
        actions.retire(actor=self.actor, item=item, **checked(serializers.ReasonSerializer, request))
        return self._shown(item)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def reinstate(self, request: Request, pk: str | None = None) -> Response:
        """Undoes freezing and retiring."""
        item = self.get_object()
        actions.reinstate(actor=self.actor, item=item)
        return self._shown(item)


class CalledViewSet(ItemViewSet):
    """What is called over HTTP. Whatever asks it about itself runs outside of a transaction."""

    calls_out = frozenset({"create", "refresh", "propose"})
    fixed: ClassVar[tuple[str, ...]] = _AT_REGISTRATION
    register_with: ClassVar[Callable[..., Any]]
    refresh_with: ClassVar[Callable[..., Any]]
    propose_with: ClassVar[Callable[..., Any]]
    version_serializer: ClassVar[Any]

    def perform_create(self, serializer: Any) -> None:
        version = type(self).register_with(actor=self.actor, **serializer.validated_data)
        serializer.instance = self.get_queryset().get(pk=version.item.pk)

    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, pk: str | None = None) -> Response:
        """Asks it again. What changed becomes a version that waits for review; 204 when nothing did."""
        version = type(self).refresh_with(actor=self.actor, **{self.word: self.get_object()})
        return Response(status=204) if version is None else Response(self.version_serializer(version).data, status=201)

    @action(detail=True, methods=["post"])
    def propose(self, request: Request, pk: str | None = None) -> Response:
        """A draft of what it is now, at its address or at another `url`."""
        item = self.get_object()
        values = checked(serializers.ProposalSerializer, request)
        version = type(self).propose_with(actor=self.actor, **{self.word: item}, **values)
        return Response(self.version_serializer(version).data, status=201)

    @extend_schema(request=serializers.CredentialSerializer)
    @action(detail=True, methods=["post"])
    def credential(self, request: Request, pk: str | None = None) -> Response:
        """Replaces what it is called with. It never comes out again."""
        item = self.get_object()
        values = checked(serializers.CredentialSerializer, request)
        actions.set_credential(actor=self.actor, item=item, secret=values["credential"], header=values.get("header"))
        return self._shown(item)


class ServerViewSet(CalledViewSet):
    """MCP servers. A POST asks the server about itself and makes a draft; nothing is served before its review."""

    queryset = Server.objects.select_related("owner_team", "live_version").defer("credential").order_by("slug")
    serializer_class = serializers.ServerSerializer
    filterset_fields = ("slug", "name", "status", "health", "owner_team__name", "discoverable")
    word = "server"
    update_with = staticmethod(actions.update_server)
    register_with = staticmethod(actions.register_server)
    refresh_with = staticmethod(actions.refresh_server)
    propose_with = staticmethod(actions.new_server_version)
    version_serializer = serializers.ServerVersionSerializer


class AgentViewSet(CalledViewSet):
    """Agents. A POST fetches the agent's card and makes a draft; nothing is served before its review."""

    queryset = Agent.objects.select_related("owner_team", "live_version", "sponsor", "identity").defer("credential").order_by("slug")
    serializer_class = serializers.AgentSerializer
    filterset_fields = ("slug", "status", "health", "owner_team__name", "discoverable")
    word = "agent"
    fixed = ("slug", "url", "version", "credential", "credential_header")
    update_with = staticmethod(actions.update_agent)
    register_with = staticmethod(actions.register_agent)
    refresh_with = staticmethod(actions.refresh_agent)
    propose_with = staticmethod(actions.new_agent_version)
    version_serializer = serializers.AgentVersionSerializer


class SkillViewSet(ItemViewSet):
    """Skills. A POST takes an archive (multipart) and makes a draft version."""

    queryset = Skill.objects.select_related("owner_team", "live_version").prefetch_related("collections").order_by("name")
    serializer_class = serializers.SkillSerializer
    parser_classes = (MultiPartParser, JSONParser)
    filterset_fields = ("name", "status", "owner_team__name", "discoverable")
    word = "skill"
    update_with = staticmethod(actions.update_skill)

    def perform_create(self, serializer: Any) -> None:
        data = dict(serializer.validated_data)
        archive = data.pop("archive", None)
        if archive is None:
            raise ValidationError({"archive": ["Send the skill as a zip or tar.gz."]})
        version = actions.register_skill(actor=self.actor, source=archive.file, filename=archive.name, **data)
        serializer.instance = self.get_queryset().get(pk=version.skill_id)

    def perform_update(self, serializer: Any) -> None:
        archive = serializer.validated_data.pop("archive", None)
        if archive is not None:
            actions.new_skill_version(actor=self.actor, skill=serializer.instance, source=archive.file, filename=archive.name)
        super().perform_update(serializer)


class ToolsetViewSet(ItemViewSet):
    queryset = Toolset.objects.select_related("owner_team").order_by("slug")
    serializer_class = serializers.ToolsetSerializer
    filterset_fields = ("slug", "status", "owner_team__name", "discoverable")
    word = "toolset"
    fixed = ("slug",)
    update_with = staticmethod(actions.update_toolset)

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = actions.create_toolset(actor=self.actor, **serializer.validated_data)


class CollectionViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    ActionViewSet,
):
    """Skills that are published together."""

    http_method_names = ("get", "head", "options", "post", "patch", "delete")
    queryset = Collection.objects.select_related("owner_team").prefetch_related("skills").order_by("slug")
    serializer_class = serializers.CollectionSerializer
    filterset_fields = ("slug", "owner_team__name")

    def perform_create(self, serializer: Any) -> None:
        data = dict(serializer.validated_data)
        skills = data.pop("skills", ())
        collection = actions.create_collection(actor=self.actor, **data)
        self._hold(collection, skills)
        serializer.instance = collection

    def perform_update(self, serializer: Any) -> None:
        data = dict(serializer.validated_data)
        if "slug" in data:
            raise ValidationError({"slug": ["This is chosen when it is made."]})
        skills = data.pop("skills", None)
        if data:
            actions.update_collection(actor=self.actor, collection=serializer.instance, **data)
        if skills is not None:
            self._hold(serializer.instance, skills)
        serializer.instance = self.get_queryset().get(pk=serializer.instance.pk)

    def perform_destroy(self, instance: Collection) -> None:
        actions.delete_collection(actor=self.actor, collection=instance)

    def _hold(self, collection: Collection, wanted: Any) -> None:
        held = set(Skill.objects.filter(collections=collection))
        for skill in set(wanted) - held:
            actions.add_to_collection(actor=self.actor, collection=collection, skill=skill)
        for skill in held - set(wanted):
            actions.remove_from_collection(actor=self.actor, collection=collection, skill=skill)


class ToolViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, ActionViewSet):
    """Tools appear with their servers; here they are priced, withheld and offered."""

    http_method_names = ("get", "head", "options", "post", "patch")
    queryset = Tool.objects.select_related("server").order_by("server__slug", "name")
    serializer_class = serializers.ToolSerializer
    filterset_fields = ("name", "server__slug", "approved", "withheld")

    def perform_update(self, serializer: Any) -> None:
        if "price" in serializer.validated_data:
            actions.set_tool_price(actor=self.actor, tool=serializer.instance, price=serializer.validated_data["price"])

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def withhold(self, request: Request, pk: str | None = None) -> Response:
        return Response(self.get_serializer(actions.withhold_tool(actor=self.actor, tool=self.get_object())).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def offer(self, request: Request, pk: str | None = None) -> Response:
        return Response(self.get_serializer(actions.offer_tool(actor=self.actor, tool=self.get_object())).data)


def checked(serializer: Any, request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values
