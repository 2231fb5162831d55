"""What servers, agents, skills and toolsets have in common: an owner, a state of its own, and a live version."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MaxLengthValidator
from django.db import models

from registry.choices import Health, Status
from registry.names import HEADER_NAME


def price_text(price: Decimal | None) -> str:
    """USD as people write it, without an exponent or trailing zeros; "" for no price."""
    return "" if price is None else f"${price.normalize():f}"


class Item(models.Model):
    """An entry of the catalog. `discoverable` shows it to every signed-in person, who may then ask for access."""

    owner_team_field: ClassVar[str] = "owner_team"

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
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE, editable=False)
    status_reason = models.TextField(blank=True, editable=False, validators=[MaxLengthValidator(2000)])
    status_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    @property
    def is_active(self) -> bool:
        return self.status == Status.ACTIVE


class Watched(models.Model):
    """An item with an address that is called now and then to see whether it answers."""

    health = models.CharField(max_length=16, choices=Health.choices, default=Health.UNKNOWN, editable=False)
    checked_at = models.DateTimeField("last check", null=True, editable=False)
    failed_checks = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    latency_ms = models.PositiveIntegerField("latency (ms)", null=True, editable=False)
    upstream_digest = models.CharField(max_length=64, blank=True, editable=False, help_text="What it was when it last answered.")

    class Meta:
        abstract = True

    @property
    def has_drifted(self) -> bool:
        """Whether it is now something else than what was approved. Callers still get what was approved."""
        live = getattr(self, "live_version", None)
        return live is not None and self.upstream_digest not in {"", live.digest}


class Called(models.Model):
    """An item that is called over HTTP with a credential of its own, sealed and bound to its row."""

    credential = models.BinaryField(null=True, blank=True, editable=False)
    credential_header = models.CharField(max_length=100, default="authorization", validators=[HEADER_NAME])
    credential_set_at = models.DateTimeField(null=True, editable=False)
    allow_private_network = models.BooleanField(
        default=False, help_text="Loopback and private addresses are refused unless a platform admin ticks this; plain http too."
    )

    class Meta:
        abstract = True

    @property
    def credential_place(self) -> str:
        """What the sealed credential is bound to, see dataplane.snapshot."""
        return f"{self._meta.label_lower}:{self.pk}:credential"

    @property
    def has_credential(self) -> bool:
        return self.credential is not None
