"""Usage events, cost reports, budgets and prices in the management API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from adminkit.rest import ActionViewSet, ScopedPermission
from usage import actions, prices, queries, totals
from usage.models import Budget, LedgerEntry, Price, UnpricedModel
from usage.reports import costs, download
from usage.serializers import (
    AlarmSerializer,
    BudgetSerializer,
    BudgetUpdateSerializer,
    CataloguePriceSerializer,
    CostReportSerializer,
    UsageEventSerializer,
)


class UsageEventFilter(filters.FilterSet):
    """`since` is included, `until` is not. `team` and `key` take names."""

    request_id = filters.CharFilter()
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")
    team = filters.CharFilter(method="by_name")
    key = filters.CharFilter(method="by_name")
    model = filters.CharFilter()
    server = filters.CharFilter()
    agent = filters.CharFilter()
    plane = filters.CharFilter()
    outcome = filters.CharFilter()

    class Meta:
        model = LedgerEntry
        fields: Sequence[str] = ()

    def by_name(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(queries.named(**{name: value}))


class NewestFirst(CursorPagination):
    """Along the index on (at, id), as deep as one likes."""

    ordering = ("-at", "-id")
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    offset_cutoff = 100_000


class UsageEventViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[LedgerEntry]):
    """Settled legs, newest first: those of the caller's team and of the teams below it."""

    queryset = LedgerEntry.objects.all()
    serializer_class = UsageEventSerializer
    permission_classes = (ScopedPermission,)
    pagination_class = NewestFirst
    filterset_class = UsageEventFilter

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return LedgerEntry.objects.none()
        return queries.entries(self.request.user)

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """What is found is what may be seen; there is nothing else to do with it."""


class FormatIsOurs(BaseContentNegotiation):
    """`?format=` names the report's format here, not a renderer."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]


def _parameters() -> list[OpenApiParameter]:
    described = {
        "period": "A month (UTC) such as 2026-11; the present one if left out.",
        "group_by": f"Some of {', '.join(totals.GROUPS)}, separated by commas.",
        **{name: f"Only this {name}." for name in costs.FILTERS},
    }
    return [
        OpenApiParameter("format", str, enum=costs.FORMATS, default="json", description="The file's format."),
        *(OpenApiParameter(name, str, description=text) for name, text in described.items()),
    ]


class CostReportViewSet(ViewSet):
    """A month's cost, for as much of the house as the caller may see."""

    permission_classes = (ScopedPermission,)
    content_negotiation_class = FormatIsOurs
    queryset = None

    @extend_schema(
        operation_id="reports_costs",
        parameters=_parameters(),
        responses={
            (200, "application/json"): CostReportSerializer,
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiTypes.BINARY,
        },
    )
    def list(self, request: Request, **kwargs: Any) -> StreamingHttpResponse:
        params = request.query_params
        try:
            kind = costs.parse_format(params.get("format") or kwargs.get("format") or "json")
            report = costs.parse(params, user=request.user)
            return download.response(request._request, report, kind)
        except costs.BadReport as error:
            raise ValidationError({error.field: [error.message]}) from None


class BudgetViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    ActionViewSet,
):
    """What teams, accounts and keys may spend. Setting one again for the same period changes it."""

    queryset = Budget.objects.select_related("team", "user", "key").order_by("pk")
    serializer_class = BudgetSerializer
    filterset_fields = ("team__name", "user__username", "key", "period", "mode")

    def get_serializer_class(self) -> Any:
        return BudgetUpdateSerializer if self.action in ("update", "partial_update") else BudgetSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "spent": self._spent}

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self._known = queries.spent_of(page or ())
        return page

    def _spent(self, budget: Budget) -> Any:
        known = getattr(self, "_known", {})
        return known[budget.pk] if budget.pk in known else queries.spent(budget)

    def perform_create(self, serializer: Any) -> None:
        given = dict(serializer.validated_data)
        serializer.instance = actions.set_budget(actor=self.actor, subject=given.pop("holder"), **given)

    def perform_update(self, serializer: Any) -> None:
        budget = serializer.instance
        given = {"limit": budget.limit, "mode": budget.mode, **serializer.validated_data}
        serializer.instance = actions.set_budget(actor=self.actor, subject=budget.holder, period=budget.period, **given)

    def perform_destroy(self, instance: Budget) -> None:
        actions.remove_budget(actor=self.actor, budget=instance)


class HouseWide(ActionViewSet):
    """Of what belongs to no team: all staff may read it, and writing takes the model's change permission."""

    def get_queryset(self) -> QuerySet[Any]:
        return GenericViewSet.get_queryset(self)

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """The actions ask for what they need."""


class PriceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, mixins.DestroyModelMixin, HouseWide):
    """The dated catalogue and our overrides. Deleting withdraws: from then on it counts no more."""

    queryset = Price.objects.order_by("vendor", "model", "-valid_from", "-revision")
    serializer_class = CataloguePriceSerializer
    filterset_fields = ("vendor", "model", "source", "valid_from")

    def perform_create(self, serializer: Any) -> None:
        given = dict(serializer.validated_data)
        model_name = given.pop("model")
        serializer.instance = actions.set_price(actor=self.actor, model_name=model_name, **given)

    def perform_destroy(self, instance: Price) -> None:
        actions.withdraw_price(actor=self.actor, price=instance)

    @extend_schema(
        parameters=[
            OpenApiParameter("model", str, description="Our model's name."),
            OpenApiParameter("vendor", str, description="The vendor, such as openai."),
            OpenApiParameter("upstream_model", str, description="The vendor's name of the model."),
        ],
        responses=CataloguePriceSerializer,
    )
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=())
    def resolve(self, request: Request) -> Response:
        """The price that a call would get now; 404: none is known."""
        asked = {name: request.query_params.get(name, "") for name in ("model", "vendor", "upstream_model")}
        price = prices.find(asked["vendor"], asked["upstream_model"], model_name=asked["model"] or None)
        if price is None:
            raise NotFound("No price is known for this.")
        return Response(self.get_serializer(price).data)


class AlarmViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, HouseWide):
    """What was used without a known price."""

    queryset = UnpricedModel.objects.order_by("-last_seen", "pk")
    serializer_class = AlarmSerializer
    filterset_fields = {"model": ["exact"], "resolved_at": ["isnull"]}

    @extend_schema(request=None, responses=AlarmSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str | None = None) -> Response:
        """Somebody has seen to it. It comes back when the same is used without a price again."""
        alarm = self.get_object()
        actions.resolve_alarm(actor=self.actor, alarm=alarm)
        return Response(self.get_serializer(alarm).data)


def api_routes() -> list[tuple[str, Any, str]]:
    return [
        ("usage-events", UsageEventViewSet, "usage-event"),
        ("reports/costs", CostReportViewSet, "cost-report"),
        ("budgets", BudgetViewSet, "budget"),
        ("prices", PriceViewSet, "price"),
        ("unpriced-models", AlarmViewSet, "unpriced-model"),
    ]
