"""Providers and models in the management API, over the same actions as the admin.

Who may see and do what is `adminkit.rest`'s to say; what a model may be connected to is asked of `llmgateway.guards`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin, ListModelMixin, RetrieveModelMixin, UpdateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from adminkit.permissions import codename
from adminkit.rest import ActionViewSet
from llmgateway import actions
from llmgateway.actions.imports import MAX_AT_ONCE
from llmgateway.actions.models import FIELDS as MODEL_FIELDS
from llmgateway.guards import acting, check_deployments, check_fallbacks, check_owner, check_reach, import_terms, may_add_providers
from llmgateway.models import Deployment, Fallback, Model, Provider
from llmgateway.prices import PriceBook
from llmgateway.probe import probe
from llmgateway.rotating import rotated
from llmgateway.serializers import ModelSerializer, PlainSerializer, ProviderSerializer, StrictSerializer


class WritableViewSet(CreateModelMixin, RetrieveModelMixin, UpdateModelMixin, DestroyModelMixin, ListModelMixin, ActionViewSet):
    """The five usual operations. A subclass implements `create_with`, `update_with`, `delete_with` over its actions."""

    def create_with(self, data: dict[str, Any]) -> Any:
        raise NotImplementedError

    def update_with(self, row: Any, data: dict[str, Any]) -> None:
        raise NotImplementedError

    def delete_with(self, row: Any) -> None:
        raise NotImplementedError

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = self._stored(self.create_with(serializer.validated_data))

    def perform_update(self, serializer: Any) -> None:
        self.update_with(serializer.instance, serializer.validated_data)
        serializer.instance = self._stored(serializer.instance)

    def perform_destroy(self, instance: Any) -> None:
        self.delete_with(instance)

    def _stored(self, row: Any) -> Any:
        """As a GET would answer it, with what the action worked out and what the database holds."""
        rows: Any = type(self).queryset
        return rows.all().get(pk=row.pk)


class ProblemSerializer(PlainSerializer):
    error = serializers.CharField()
    advice = serializers.CharField()


class FindingSerializer(PlainSerializer):
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


class CredentialStepSerializer(StrictSerializer):
    """`next` stores and tests the credential in `api_key`; the other steps take none."""

    step = serializers.ChoiceField(choices=("next", "test", "switch", "roll_back", "drop_next", "drop_previous"))
    api_key = serializers.CharField(write_only=True, required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if (data["step"] == "next") != ("api_key" in data):
            raise serializers.ValidationError({"api_key": ["The step 'next' takes the credential, the others take none."]})
        return data


class ImportedSerializer(PlainSerializer):
    created = serializers.ListField(child=serializers.CharField())
    joined = serializers.ListField(child=serializers.CharField())
    present = serializers.ListField(child=serializers.CharField())
    refused = serializers.DictField(child=serializers.CharField())


class ProviderViewSet(WritableViewSet):
    """Accounts at vendors. A credential goes in as `api_key` and never comes out."""

    queryset = Provider.objects.defer("credential", "next_credential", "previous_credential").order_by("name")
    serializer_class = ProviderSerializer
    filterset_fields = ("name", "dialect", "vendor", "enabled", "health")

    def create_with(self, data: dict[str, Any]) -> Provider:
        if not may_add_providers(self.request.user):
            raise PermissionDenied
        return actions.create_provider(actor=acting(self.request), **data)

    def update_with(self, row: Provider, data: dict[str, Any]) -> None:
        fields = dict(data)
        check_reach(self.request.user, row, fields)
        if "api_key" in fields and fields["api_key"] is None:
            actions.set_credential(actor=acting(self.request), provider=row, api_key=fields.pop("api_key"))
        actions.update_provider(actor=acting(self.request), provider=row, **fields)

    def delete_with(self, row: Provider) -> None:
        actions.delete_provider(actor=acting(self.request), provider=row)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """A test waits for somebody else's machine: that must not happen inside the transaction of a write."""
        if self.action_map.get("post") in ("test", "credential"):
            return super(ActionViewSet, self).dispatch(request, *args, **kwargs)
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(request=None, responses=FindingSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Asks the provider for its models and notes its health."""
        provider = self.get_object()
        finding = probe(provider)
        actions.record_health(actor=acting(request), provider=provider, error=finding.sentence, latency_ms=finding.latency_ms)
        return Response(FindingSerializer(finding).data)

    @extend_schema(request=CredentialStepSerializer, responses=ProviderSerializer)
    @action(detail=True, methods=["post"])
    def credential(self, request: Request, pk: str | None = None) -> Response:
        """One step of the rotation of its credential. A next one that the provider does not accept stays stored, untested."""
        provider = self.get_object()
        step = CredentialStepSerializer(data=request.data)
        step.is_valid(raise_exception=True)
        rotated(acting(request), provider, **step.validated_data)
        return Response(ProviderSerializer(self._stored(provider), context=self.get_serializer_context()).data)

    @extend_schema(request=PicksSerializer, responses=ImportedSerializer)
    @action(detail=True, methods=["post"], url_path="import")
    def import_(self, request: Request, pk: str | None = None) -> Response:
        """Registers offered models, each with a deployment at this provider."""
        provider = self.get_object()
        picks = PicksSerializer(data=request.data)
        picks.is_valid(raise_exception=True)
        if not request.user.has_perm(codename(Model, "add")):
            raise PermissionDenied
        terms = import_terms(request.user, **picks.validated_data)
        done = actions.import_models(actor=acting(request), provider=provider, names=picks.validated_data["names"], **terms)
        return Response(ImportedSerializer(done).data)


class ModelViewSet(WritableViewSet):
    """What callers ask for by name, with its deployments, its fallbacks and its own price."""

    queryset = (
        Model.objects.select_related("owner_team")
        .prefetch_related(
            Prefetch(
                "deployments",
                queryset=Deployment.objects.select_related("provider", "model").defer("provider__credential").order_by("priority", "id"),
            ),
            Prefetch("fallback_steps", queryset=Fallback.objects.select_related("target").order_by("position", "id")),
        )
        .order_by("name")
    )
    serializer_class = ModelSerializer
    filterset_fields = ("name", "strategy", "enabled", "discoverable", "deployments__provider__name")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "book": self._book}

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)
        serializer.context["book"] = PriceBook()  # prices as of now, with what has just been changed

    @cached_property
    def _book(self) -> PriceBook:
        return PriceBook()

    def paginate_queryset(self, queryset: Any) -> Any:
        """The prices of a page's deployments are fetched together."""
        page = super().paginate_queryset(queryset)
        rows = [row for model in page or () for row in model.deployments.all()]
        self._book.prepare((row.provider.vendor, row.upstream_model, row.model.name) for row in rows)
        self._book.prepare(("", "", model.name) for model in page or ())
        return page

    def create_with(self, data: dict[str, Any]) -> Model:
        check_owner(acting(self.request), data.get("owner_team"))
        check_deployments(acting(self.request), None, data.get("deployments", ()))
        check_fallbacks(acting(self.request), None, data.get("fallbacks", ()))
        return actions.create_model(actor=acting(self.request), **data)

    def update_with(self, row: Model, data: dict[str, Any]) -> None:
        actor = acting(self.request)
        if "owner_team" in data and data["owner_team"] != row.owner_team:
            check_owner(actor, data["owner_team"])
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
        actions.delete_model(actor=acting(self.request), model=row)


def api_routes() -> list[tuple[str, type[ActionViewSet], str]]:
    return [("providers", ProviderViewSet, "provider"), ("models", ModelViewSet, "model")]
