"""Providers and models in the management API, over the same actions as the admin.

Lists and objects are what the caller may see (`adminkit.permissions`): what is not visible is a 404. A visible object
that may not be changed answers 403.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.exceptions import ValidationError as BadRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from adminkit.permissions import codename, may, visible
from llmgateway import actions
from llmgateway.actions.imports import MAX_AT_ONCE
from llmgateway.actions.models import FIELDS as MODEL_FIELDS
from llmgateway.guards import check_deployments, check_fallbacks
from llmgateway.models import Deployment, Fallback, Model, Provider
from llmgateway.prices import PriceBook
from llmgateway.probe import probe
from llmgateway.serializers import ModelSerializer, ProviderSerializer, StrictSerializer

_VERBS = {"POST": "change", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


@contextmanager
def _refusals() -> Iterator[None]:
    """What an action refuses is a 400 that names the fields; nothing of it is written."""
    try:
        with transaction.atomic():
            yield
    except ValidationError as error:
        detail = error.message_dict if hasattr(error, "error_dict") else {"detail": error.messages}
        raise BadRequest(detail) from None


class ActionViewSet(ModelViewSet):
    """Reads what is visible, writes through actions: a subclass implements `create_with`, `update_with`, `delete_with`."""

    model: ClassVar[type[Any]]

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def create_with(self, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def update_with(self, row: Any, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def delete_with(self, row: Any) -> None:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        return visible(self.rows(), self.request.user)

    def get_object(self) -> Any:
        row = super().get_object()
        verb = _VERBS.get(self.request.method or "")
        if verb is not None and not may(self.request.user, verb, row):
            raise PermissionDenied
        return row

    def perform_create(self, serializer: Any) -> None:
        if not self.request.user.has_perm(codename(self.model, "add")):
            raise PermissionDenied
        with _refusals():
            created = self.create_with(serializer.validated_data)
        serializer.instance = self.rows().get(pk=created.pk)

    def perform_update(self, serializer: Any) -> None:
        with _refusals():
            self.update_with(serializer.instance, serializer.validated_data)
        serializer.instance = self.rows().get(pk=serializer.instance.pk)

    def perform_destroy(self, instance: Any) -> None:
        with _refusals():
            self.delete_with(instance)


class ProblemSerializer(serializers.Serializer):
    error = serializers.CharField()
    advice = serializers.CharField()


class FindingSerializer(serializers.Serializer):
    """What a provider answered when it was asked for its models."""

    ok = serializers.BooleanField()
    latency_ms = serializers.FloatField(allow_null=True)
    models = serializers.ListField(child=serializers.CharField())
    problem = ProblemSerializer(allow_null=True)


class PicksSerializer(StrictSerializer):
    """Names out of a provider's offers, to be registered as models."""

    names = serializers.ListField(child=serializers.CharField(max_length=200), min_length=1, max_length=MAX_AT_ONCE)
    prefix = serializers.CharField(max_length=60, required=False, default="")
    join = serializers.BooleanField(required=False, default=False)


class ImportedSerializer(serializers.Serializer):
    created = serializers.ListField(child=serializers.CharField())
    joined = serializers.ListField(child=serializers.CharField())
    present = serializers.ListField(child=serializers.CharField())
    refused = serializers.DictField(child=serializers.CharField())


class ProviderViewSet(ActionViewSet):
    """Accounts at vendors. A credential goes in as `api_key` and never comes out."""

    model = Provider
    queryset = Provider.objects.none()
    serializer_class = ProviderSerializer
    filterset_fields = ("name", "dialect", "vendor", "enabled", "health")

    def rows(self) -> QuerySet[Provider]:
        return Provider.objects.defer("credential").order_by("name")

    def create_with(self, data: dict[str, Any]) -> Provider:
        return actions.create_provider(actor=self.request.user, **data)

    def update_with(self, row: Provider, data: dict[str, Any]) -> None:
        fields = dict(data)
        if "api_key" in fields and fields["api_key"] is None:
            actions.set_credential(actor=self.request.user, provider=row, api_key=fields.pop("api_key"))
        actions.update_provider(actor=self.request.user, provider=row, **fields)

    def delete_with(self, row: Provider) -> None:
        actions.delete_provider(actor=self.request.user, provider=row)

    @extend_schema(request=None, responses=FindingSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Asks the provider for its models and notes its health."""
        provider = self.get_object()
        finding = probe(provider)
        actions.record_health(actor=request.user, provider=provider, error=finding.sentence, latency_ms=finding.latency_ms)
        return Response(FindingSerializer(finding).data)

    @extend_schema(request=PicksSerializer, responses=ImportedSerializer)
    @action(detail=True, methods=["post"], url_path="import")
    def import_(self, request: Request, pk: str | None = None) -> Response:
        """Registers offered models, each with a deployment at this provider."""
        provider = self.get_object()
        picks = PicksSerializer(data=request.data)
        picks.is_valid(raise_exception=True)
        if not request.user.has_perm(codename(Model, "add")):
            raise PermissionDenied
        with _refusals():
            done = actions.import_models(actor=request.user, provider=provider, **picks.validated_data)
        return Response(ImportedSerializer(done).data)


class LlmModelViewSet(ActionViewSet):
    """What callers ask for by name, with its deployments, its fallbacks and its own price."""

    model = Model
    queryset = Model.objects.none()
    serializer_class = ModelSerializer
    filterset_fields = ("name", "strategy", "enabled", "discoverable", "deployments__provider__name")

    def rows(self) -> QuerySet[Model]:
        deployments = Deployment.objects.select_related("provider", "model").defer("provider__credential").order_by("priority", "id")
        steps = Fallback.objects.select_related("target").order_by("position", "id")
        related = (Prefetch("deployments", queryset=deployments), Prefetch("fallback_steps", queryset=steps))
        return Model.objects.select_related("owner_team").prefetch_related(*related).order_by("name")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "book": PriceBook()}

    def create_with(self, data: dict[str, Any]) -> Model:
        check_deployments(self.request.user, None, data.get("deployments", ()))
        check_fallbacks(self.request.user, None, data.get("fallbacks", ()))
        return actions.create_model(actor=self.request.user, **data)

    def update_with(self, row: Model, data: dict[str, Any]) -> None:
        actor = self.request.user
        actions.update_model(actor=actor, model=row, **{name: value for name, value in data.items() if name in MODEL_FIELDS})
        if "deployments" in data:
            check_deployments(actor, row, data["deployments"])
            actions.set_deployments(actor=actor, model=row, deployments=data["deployments"])
        if "fallbacks" in data:
            check_fallbacks(actor, row, data["fallbacks"])
            actions.set_fallbacks(actor=actor, model=row, fallbacks=data["fallbacks"])
        if "price" in data:
            actions.set_model_price(actor=actor, model=row, price=data["price"])

    def delete_with(self, row: Model) -> None:
        actions.delete_model(actor=self.request.user, model=row)


def api_routes() -> list[tuple[str, type[ActionViewSet], str]]:
    return [("providers", ProviderViewSet, "provider"), ("models", LlmModelViewSet, "model")]
