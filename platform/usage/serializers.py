"""What the management API shows of usage and what it takes. Fields that are not named here can't be set."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from adminkit.permissions import visible
from dataplane import money
from identity.models import APIKey, Team, User
from identity.serializers import Strict
from usage.models import Budget, LedgerEntry, Price, UnpricedModel
from usage.models.price import METERS


class NameField(serializers.CharField):
    """Text of the ledger; null where the call had nothing of the kind."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]
        return value or None


@extend_schema_field({"type": "string", "nullable": True, "example": "0.000045", "description": "USD; null: no price is known."})
class CostField(serializers.Field[Any, Any, Any, Any]):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return money.to_text(value)


class UsageEventSerializer(serializers.Serializer[LedgerEntry]):
    """A settled leg of a call."""

    id = serializers.UUIDField(read_only=True)
    request_id = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    plane = serializers.CharField(read_only=True, help_text="llm, mcp or a2a")
    principal = NameField(source="principal_name")
    team = NameField(source="team_name")
    key = NameField(source="key_name")
    model = NameField()
    provider = NameField()
    deployment = NameField()
    server = NameField()
    tool = NameField()
    agent = NameField()
    status = serializers.IntegerField(read_only=True)
    outcome = serializers.CharField(read_only=True, help_text="ok, error, aborted or unknown")
    usage = serializers.DictField(source="meters", child=serializers.IntegerField(), read_only=True)
    cost = CostField(allow_null=True)
    currency = serializers.CharField(read_only=True)
    price = NameField()
    estimated = serializers.BooleanField(read_only=True)
    latency_ms = serializers.FloatField(read_only=True)
    ttft_ms = serializers.FloatField(read_only=True, allow_null=True)
    saved = CostField(
        allow_null=True, help_text="USD that the call would have cost, had it not been given a kept answer; never part of cost."
    )


@extend_schema_field({"type": "string", "example": "team:research", "pattern": "^(team|user|key):.+$"})
class BudgetSubjectField(serializers.Field[Any, str, str, Any]):
    """`team:<name>`, `user:<name>` or `key:<id>`, of those that the caller can see."""

    default_error_messages = {"unknown": "There is no {value}.", "shape": "Write team:<name>, user:<name> or key:<id>."}

    def to_representation(self, value: Team | User | APIKey) -> str:
        if isinstance(value, Team):
            return f"team:{value.name}"
        return f"user:{value.username}" if isinstance(value, User) else f"key:{value.pk}"

    def to_internal_value(self, data: Any) -> Team | User | APIKey:
        kind, _, name = data.partition(":") if isinstance(data, str) else ("", "", "")
        found: Any = None
        user = self.context["request"].user
        if kind == "team" and name:
            found = visible(Team.objects.filter(name=name), user).first()
        elif kind == "user" and name:
            found = visible(User.objects.filter(username=name), user).first()
        elif kind == "key" and name.isascii() and name.isdigit() and len(name) < 19:
            found = visible(APIKey.objects.filter(pk=int(name)), user).first()
        else:
            self.fail("shape")
        if found is None:
            self.fail("unknown", value=data)
        subject: Team | User | APIKey = found
        return subject


class BudgetSerializer(Strict):
    """`spent` is what the ledger knows of the present window."""

    id = serializers.IntegerField(read_only=True)
    subject = BudgetSubjectField(source="holder")
    limit = serializers.DecimalField(max_digits=18, decimal_places=9, min_value=0, help_text="USD")
    period = serializers.ChoiceField(choices=Budget.Period.choices, default=Budget.Period.MONTH)
    mode = serializers.ChoiceField(choices=Budget.Mode.choices, default=Budget.Mode.HARD)
    spent = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)

    def get_spent(self, budget: Budget) -> str:
        return money.to_text(self.context["spent"](budget))

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(instance) | {"limit": money.to_text(instance.limit)}


class BudgetUpdateSerializer(BudgetSerializer):
    """Whom a budget is for and its period are what it is; the rest can change."""

    subject = BudgetSubjectField(source="holder", read_only=True)
    period = serializers.CharField(read_only=True)  # type: ignore[assignment]


class CataloguePriceSerializer(Strict):
    """USD per million tokens; `request`, `image` and `second` per one. A price is never changed: a newer one is stated.

    Without `vendor` it is the price of our model of that name and goes before the catalogue's."""

    id = serializers.IntegerField(read_only=True)
    ref = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]
    vendor = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    model = serializers.CharField(max_length=200)
    valid_from = serializers.DateField(required=False)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    withdrawn_at = serializers.DateTimeField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)

    def get_fields(self) -> dict[str, Any]:
        bounds: dict[str, Any] = {"max_digits": 20, "decimal_places": 10, "min_value": 0}
        needed = {meter: serializers.DecimalField(**bounds) for meter in METERS[:2]}
        others = {meter: serializers.DecimalField(**bounds, required=False, allow_null=True) for meter in METERS[2:]}
        return {**super().get_fields(), **needed, **others}

    def to_representation(self, instance: Price) -> Any:
        shown = super().to_representation(instance)
        amounts = instance.amounts
        return shown | {meter: money.to_text(amounts[meter]) if meter in amounts else None for meter in METERS}


class AlarmSerializer(serializers.ModelSerializer[UnpricedModel]):
    class Meta:
        model = UnpricedModel
        fields = ("id", "model", "provider", "deployment", "first_seen", "last_seen", "calls", "resolved_at")
        read_only_fields = fields


class MeasuresSerializer(serializers.Serializer[Any]):
    """Sums of a cost report, of a row and in total."""

    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    unpriced = serializers.IntegerField(help_text="Calls of which no price is known; their cost is in no sum.")
    estimated = serializers.IntegerField()
    input = serializers.IntegerField()
    cached_read = serializers.IntegerField()
    cache_write = serializers.IntegerField()
    output = serializers.IntegerField()
    cost = serializers.CharField(help_text="USD, exact")


class CostReportSerializer(serializers.Serializer[Any]):
    period = serializers.CharField()
    group_by = serializers.ListField(child=serializers.CharField())
    filters = serializers.DictField(child=serializers.CharField())
    currency = serializers.CharField()
    time_zone = serializers.CharField()
    generated_at = serializers.DateTimeField()
    rows = serializers.ListField(child=serializers.DictField(), help_text="The columns of the grouping, and the measures.")
    totals = MeasuresSerializer()
