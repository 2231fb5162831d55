"""Providers, deployments and models: what the LLM gateway can call, and what callers ask for.

Rows are written by `llmgateway.actions` only. A provider's credential is sealed and bound to its row; nothing here, no
`str()` and no serializer, ever opens it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models

from llmgateway.choices import Dialect, Health, Strategy
from llmgateway.validators import MODEL_NAME, PROVIDER_NAME, UPSTREAM_MODEL, VENDOR

SECONDS = (MinValueValidator(Decimal("0.1")), MaxValueValidator(Decimal(3600)))


class Provider(models.Model):
    """An account at a vendor. `credential` is what dataplane.sealing made, with AAD `credential_place`: the only one that is
    ever published. The next and the previous one are sealed for places of their own, so that none stands in for another.

    `next_tested_at` is when the vendor last took the next one; it comes into use only after that. The dates `…_set_at` go
    with their credential from place to place."""

    name = models.CharField(max_length=64, unique=True, validators=[PROVIDER_NAME], help_text="Used in config files, routes and reports.")
    dialect = models.CharField(max_length=16, choices=Dialect.choices, default=Dialect.OPENAI)
    base_url = models.CharField("base URL", max_length=500)
    vendor = models.CharField(
        "price list",
        max_length=64,
        blank=True,
        validators=[VENDOR],
        help_text="Whose list prices apply. Left empty, it is guessed from the address.",
    )
    credential = models.BinaryField(null=True, blank=True, editable=False)
    credential_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_credential = models.BinaryField(null=True, blank=True, editable=False)
    next_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_tested_at = models.DateTimeField(null=True, blank=True, editable=False)
    previous_credential = models.BinaryField(null=True, blank=True, editable=False)
    previous_set_at = models.DateTimeField(null=True, blank=True, editable=False)
    allow_private_network = models.BooleanField(
        default=False, help_text="Loopback and private addresses are refused unless this is ticked; plain http too."
    )
    connect_timeout = models.DecimalField(max_digits=6, decimal_places=1, default=Decimal(5), validators=SECONDS)
    read_timeout = models.DecimalField(max_digits=6, decimal_places=1, default=Decimal(300), validators=SECONDS)
    total_timeout = models.DecimalField(max_digits=6, decimal_places=1, default=Decimal(900), validators=SECONDS)
    headers = models.JSONField("extra headers", default=dict, blank=True, help_text='Sent with every call, e.g. {"openai-project": "…"}.')
    enabled = models.BooleanField(default=True)

    health = models.CharField(max_length=16, choices=Health.choices, default=Health.UNKNOWN, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    failed_checks = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    latency_ms = models.PositiveIntegerField(null=True, editable=False)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def credential_place(self) -> str:
        return f"llmgateway.provider:{self.pk}:credential"

    @property
    def next_place(self) -> str:
        return f"llmgateway.provider:{self.pk}:next-credential"

    @property
    def previous_place(self) -> str:
        return f"llmgateway.provider:{self.pk}:previous-credential"

    @property
    def has_credential(self) -> bool:
        """Told by the date beside it, so that lists and forms need not load the sealed bytes."""
        return self.credential_set_at is not None


class Model(models.Model):
    """What callers ask for by name: deployments, how calls are shared among them, and where calls go when all fail."""

    owner_team_field: ClassVar[str] = "owner_team"

    name = models.CharField(max_length=200, unique=True, validators=[MODEL_NAME], help_text="What callers write as “model”.")
    description = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    strategy = models.CharField(max_length=16, choices=Strategy.choices, default=Strategy.WEIGHTED)
    max_output = models.PositiveIntegerField(
        "maximum output tokens",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(10_000_000)],
        help_text="What a call that names no maximum of its own reserves from its budgets.",
    )
    cache_ttl = models.PositiveIntegerField(
        "cache answers for",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(2_592_000)],
        help_text="Seconds. The same question gets the same answer again, for keys that agree to it. Empty: never.",
    )
    first_token_timeout = models.DecimalField(
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
        validators=SECONDS,
        help_text="Seconds until a stream's first token; then another deployment is tried. Empty: the gateway's own.",
    )
    idle_timeout = models.DecimalField(
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
        validators=SECONDS,
        help_text="Seconds that a stream may pause before it is ended. Empty: the gateway's own.",
    )
    native_only = models.BooleanField(
        "never translate",
        default=False,
        help_text="Calls go only to deployments that speak the caller's own dialect.",
    )
    owner_team = models.ForeignKey(
        "identity.Team",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who answers for it. Empty: the platform.",
    )
    discoverable = models.BooleanField(
        default=False, help_text="Everybody may find it in the catalog and request access. Otherwise only those who may use it see it."
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    fallbacks: models.ManyToManyField[Model, Fallback] = models.ManyToManyField(
        "self", through="Fallback", symmetrical=False, through_fields=("model", "target"), related_name="fallback_of"
    )

    class Meta:
        ordering = ["name"]
        permissions = [("use_model", "Can call the model through the gateway")]

    def __str__(self) -> str:
        return self.name

    @property
    def resource_ref(self) -> str:
        return f"model:{self.name}"


class Deployment(models.Model):
    """A provider's model as we can call it. Lower `priority` is tried first; `weight` shares calls within one; a weight
    of 0 takes none unless every other deployment of its priority failed."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="deployments")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="deployments")
    upstream_model = models.CharField(max_length=200, validators=[UPSTREAM_MODEL], help_text="The provider's own name for it.")
    weight = models.PositiveIntegerField(default=1, validators=[MaxValueValidator(1_000_000)])
    priority = models.PositiveIntegerField(default=0, validators=[MaxValueValidator(1000)])
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["priority", "id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "provider", "upstream_model"], name="llmgateway_deployment_once_per_model"),
        ]

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.upstream_model}"


class Fallback(models.Model):
    """A step of a model's fallback chain. `position` counts from 0."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="fallback_steps")
    target = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="fallback_uses")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["model", "target"], name="llmgateway_fallback_once_per_target")]

    def __str__(self) -> str:
        return self.target.name
