"""Wire shapes of providers and models in the management API; the names are those of the config file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from adminkit.permissions import visible
from identity.models import Team
from llmgateway.choices import Dialect, Strategy
from llmgateway.models import Deployment, Model, Provider
from llmgateway.prices import SOURCES, PriceBook

if TYPE_CHECKING:
    PlainSerializer = serializers.Serializer[Any]
    _ModelSerializer = serializers.ModelSerializer[Any]
else:  # DRF's classes take no type arguments when they run.
    PlainSerializer, _ModelSerializer = serializers.Serializer, serializers.ModelSerializer


class StrictSerializer(PlainSerializer):
    """Refuses fields that it does not know: a misspelled one must not be dropped in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({name: ["Unknown field."] for name in unknown})
        return super().to_internal_value(data)


class ProviderSerializer(StrictSerializer, _ModelSerializer):
    """`api_key` is written and never read."""

    dialect = serializers.ChoiceField(choices=Dialect.choices)
    api_key = serializers.CharField(write_only=True, required=False, allow_null=True, help_text="Sealed on arrival; null removes it.")
    has_credential = serializers.BooleanField(read_only=True)

    class Meta:
        model = Provider
        settings: tuple[str, ...] = ("name", "dialect", "base_url", "vendor", "allow_private_network")
        settings += ("connect_timeout", "read_timeout", "total_timeout", "headers", "enabled")
        state = ("health", "checked_at", "failed_checks", "last_error", "latency_ms", "created_at", "updated_at")
        dates = ("credential_set_at", "next_set_at", "next_tested_at", "previous_set_at")
        fields = ("id", *settings, "api_key", "has_credential", *dates, *state)
        read_only_fields = ("id", *dates, *state)


def _amount(**kwargs: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=9, min_value=0, **kwargs)


class PriceSerializer(StrictSerializer):
    """USD per million tokens, as decimal strings; `request`, `image` and `second` are USD per one."""

    input = _amount()
    output = _amount()
    cached_read = _amount(required=False)
    cache_write_5m = _amount(required=False)
    cache_write_1h = _amount(required=False)
    audio_input = _amount(required=False)
    audio_output = _amount(required=False)
    request = _amount(required=False)
    image = _amount(required=False)
    second = _amount(required=False)

    def to_representation(self, instance: Any) -> dict[str, str]:
        """Amounts by meter, in the digits in which they are stored."""
        return dict(instance)


class OwnPriceSerializer(PriceSerializer):
    """The price that is set on the model itself."""

    def get_attribute(self, instance: Model) -> dict[str, str] | None:
        book: PriceBook = self.context["book"]
        return book.override_of(instance.name)


class DeploymentSerializer(StrictSerializer):
    """A route. `provider` is a provider's name, `model` that provider's own name for the model."""

    id = serializers.IntegerField(read_only=True)
    provider = serializers.CharField(max_length=64)
    model = serializers.CharField(max_length=200)
    weight = serializers.IntegerField(min_value=0, default=1)
    priority = serializers.IntegerField(min_value=0, default=0)
    enabled = serializers.BooleanField(default=True)
    price = PriceSerializer(read_only=True, allow_null=True, help_text="What is charged.")
    price_source = serializers.ChoiceField(choices=SOURCES, read_only=True)

    def to_internal_value(self, data: Any) -> Any:
        """What an answer tells about a deployment may be sent back as it came."""
        told = {"id", "price", "price_source"}
        return super().to_internal_value(
            {name: value for name, value in data.items() if name not in told} if isinstance(data, dict) else data
        )

    def to_representation(self, instance: Deployment) -> dict[str, Any]:
        provider = instance.provider
        tag = self.context["book"].tag_of(instance)
        return {
            "id": instance.pk,
            "provider": provider.name,
            "model": instance.upstream_model,
            "weight": instance.weight,
            "priority": instance.priority,
            "enabled": instance.enabled,
            "price": tag.amounts or None,
            "price_source": tag.source,
        }


class FallbacksField(serializers.ListField):
    """Names of models, first tried first."""

    child = serializers.CharField(max_length=200)

    def get_attribute(self, instance: Model) -> list[str]:
        return [step.target.name for step in instance.fallback_steps.all()]


class ModelSerializer(StrictSerializer, _ModelSerializer):
    """`price` is the model's own, null where the catalogue's applies. Deployments and fallbacks are stated as a whole."""

    strategy = serializers.ChoiceField(choices=Strategy.choices, default=Strategy.WEIGHTED)
    owner_team = serializers.SlugRelatedField(slug_field="name", queryset=Team.objects.none(), required=False, allow_null=True)
    deployments = DeploymentSerializer(many=True, required=False)
    fallbacks = FallbacksField(required=False)
    price = OwnPriceSerializer(required=False, allow_null=True)
    resource_ref = serializers.CharField(read_only=True)

    class Meta:
        model = Model
        fields: tuple[str, ...] = ("id", "name", "description", "strategy", "max_output", "owner_team", "discoverable", "enabled")
        fields += ("cache_ttl", "first_token_timeout", "idle_timeout", "native_only")
        fields += ("deployments", "fallbacks", "price", "resource_ref", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if (request := self.context.get("request")) is not None:
            fields["owner_team"].queryset = visible(Team.objects.all(), request.user)
        return fields
