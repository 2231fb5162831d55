"""Versions and reviews in the management API."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from adminkit.rest import ActionViewSet, ScopedPermission
from registry import actions
from registry.api import serializers
from registry.api.items import checked
from registry.choices import Decision
from registry.models import AgentVersion, Review, ServerVersion, SkillVersion


class Seen(ScopedPermission):
    """What may be seen may be asked for; whether it is done is the action's to say."""

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return True


class VersionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ActionViewSet):
    permission_classes = (Seen,)

    def _shown(self, version: Any) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=version.pk)).data)

    @extend_schema(request=serializers.NoteSerializer, responses=serializers.ReviewSerializer)
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str | None = None) -> Response:
        """Asks for review of a draft."""
        review = actions.submit(actor=self.actor, version=self.get_object(), **checked(serializers.NoteSerializer, request))
        return Response(serializers.ReviewSerializer(review).data, status=201)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str | None = None) -> Response:
        """Takes back what waits."""
        version = self.get_object()
        kind = ContentType.objects.get_for_model(version)
        review = Review.objects.filter(subject_type=kind, subject_id=version.pk, decision=Decision.PENDING).first()
        if review is None:
            raise Http404
        actions.withdraw(actor=self.actor, review=review)
        return self._shown(version)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str | None = None) -> Response:
        """A rejected version becomes a draft again."""
        return self._shown(actions.reopen(actor=self.actor, version=self.get_object()))

    @extend_schema(request=serializers.ReasonSerializer)
    @action(detail=True, methods=["post"])
    def deprecate(self, request: Request, pk: str | None = None) -> Response:
        """Marks it as one to move away from. Where it is live it stays so, with a warning."""
        return self._shown(actions.deprecate(actor=self.actor, version=self.get_object(), **checked(serializers.ReasonSerializer, request)))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="make-live")
    def make_live(self, request: Request, pk: str | None = None) -> Response:
        """Goes back (or forward) to a version that was approved before."""
        return self._shown(actions.make_live(actor=self.actor, version=self.get_object()))


_PEOPLE = ("submitted_by", "reviewed_by", "created_by")


class ServerVersionViewSet(VersionViewSet):
    queryset = ServerVersion.objects.select_related("server", *_PEOPLE).prefetch_related("definitions").order_by("-id")
    serializer_class = serializers.ServerVersionSerializer
    filterset_fields = ("server__slug", "version", "state")


class AgentVersionViewSet(VersionViewSet):
    queryset = AgentVersion.objects.select_related("agent", *_PEOPLE).defer("card").order_by("-id")
    serializer_class = serializers.AgentVersionSerializer
    filterset_fields = ("agent__slug", "version", "state")


class SkillVersionViewSet(VersionViewSet):
    queryset = SkillVersion.objects.select_related("skill", *_PEOPLE).defer("body").order_by("-id")
    serializer_class = serializers.SkillVersionSerializer
    filterset_fields = ("skill__name", "version", "state")


class ReviewViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ActionViewSet):
    """The inbox: proposed versions and requests of access, oldest first."""

    permission_classes = (Seen,)
    queryset = Review.objects.select_related("requested_by", "decided_by", "owner_team").order_by("id")
    serializer_class = serializers.ReviewSerializer
    filterset_fields = ("decision", "kind", "risk", "item_ref", "requested_by__username")

    def _shown(self, review: Review) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=review.pk)).data)

    @extend_schema(request=serializers.ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str | None = None) -> Response:
        """The version goes live, or the access is granted."""
        review = self.get_object()
        return self._shown(actions.approve(actor=self.actor, review=review, **checked(serializers.ApprovalSerializer, request)))

    @extend_schema(request=serializers.ReasonSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str | None = None) -> Response:
        """Refuses; the reason is required and shown to whoever asked."""
        review = self.get_object()
        return self._shown(actions.reject(actor=self.actor, review=review, **checked(serializers.ReasonSerializer, request)))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str | None = None) -> Response:
        return self._shown(actions.withdraw(actor=self.actor, review=self.get_object()))
