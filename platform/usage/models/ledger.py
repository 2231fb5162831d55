"""The ledger: one entry per leg, written once and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from django.db import models
from django.utils import timezone

from usage.exact import ExactDecimalField

APPEND_ONLY = "The ledger is append-only: a correction is an entry of its own."


class AppendOnlyQuerySet(models.QuerySet[Any]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)

    def delete(self) -> NoReturn:
        raise TypeError(APPEND_ONLY)


class Dimensions(models.Model):
    """Whom a call was for, by number and by name as it was then: a later re-organization does not rewrite history."""

    plane = models.CharField(max_length=8)
    principal = models.CharField(max_length=64)
    principal_name = models.CharField(max_length=150)
    team_id = models.BigIntegerField("team number", null=True)
    team_name = models.CharField("team", max_length=64, blank=True)
    key_id = models.BigIntegerField("key number")
    key_name = models.CharField("key", max_length=64)
    model = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=100, blank=True)
    server = models.CharField(max_length=100, blank=True)
    tool = models.CharField(max_length=200, blank=True)
    agent = models.CharField(max_length=100, blank=True)

    class Meta:
        abstract = True


class LedgerEntry(Dimensions):
    """A settled leg. Only `usage.ledger.record` writes here; on PostgreSQL it is partitioned by month.

    `cost` None means that no price was known. `saved` is what a call would have cost that was given an answer of before, None
    for any other; it is not part of `cost` and not taken from it. `usage` holds every meter; the columns beside it are for sums:
    `cache_write` is both kinds of it, `output` all of the output."""

    owner_team_field: ClassVar[str] = "team_id"

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=timezone.now)
    request_id = models.CharField(max_length=100)
    deployment = models.CharField(max_length=200, blank=True)
    status = models.IntegerField(default=0)
    outcome = models.CharField(max_length=16)
    usage = models.JSONField(default=dict)
    input = models.BigIntegerField(default=0)
    cached_read = models.BigIntegerField(default=0)
    cache_write = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    cost = ExactDecimalField(max_digits=24, decimal_places=12, null=True)
    currency = models.CharField(max_length=3, default="USD")
    price = models.CharField(max_length=400, blank=True)
    estimated = models.BooleanField(default=False)
    latency_ms = models.FloatField(default=0.0)
    ttft_ms = models.FloatField("time to first byte, ms", null=True)
    saved = ExactDecimalField(max_digits=24, decimal_places=12, null=True)

    objects: ClassVar[models.Manager[Any]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name = "usage event"
        verbose_name_plural = "ledger"
        # By `at` alone: a list of a million rows is read along this index and sorted by id among equals only.
        ordering = ("-at", "-id")
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=("-at", "-id"), name="usage_ledger_at"),
            models.Index(fields=("team_id", "-at"), name="usage_ledger_team_at"),
            models.Index(fields=("key_id", "-at"), name="usage_ledger_key_at"),
            models.Index(fields=("principal", "-at"), name="usage_ledger_principal_at"),
            models.Index(fields=("model", "-at"), name="usage_ledger_model_at"),
            models.Index(fields=("server", "-at"), name="usage_ledger_server_at", condition=~models.Q(server="")),
            models.Index(fields=("agent", "-at"), name="usage_ledger_agent_at", condition=~models.Q(agent="")),
            models.Index(fields=("request_id",), name="usage_ledger_request"),
        )

    def __str__(self) -> str:
        return f"{self.model or self.tool or self.server or self.agent} for {self.principal_name} at {self.at:%Y-%m-%d %H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)

    @property
    def meters(self) -> dict[str, int]:
        """Every main meter, zero or not, and of the others those that occur."""
        return {**dict.fromkeys(MAIN_METERS, 0), **self.usage}


MAIN_METERS = ("input", "cached_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")


def column_meters(usage: Mapping[str, int]) -> dict[str, int]:
    """The meters that have a column of their own."""
    return {
        "input": usage.get("input", 0),
        "cached_read": usage.get("cached_read", 0),
        "cache_write": usage.get("cache_write_5m", 0) + usage.get("cache_write_1h", 0),
        "output": usage.get("output", 0),
    }


class RejectedEvent(models.Model):
    """A usage event that does not fit the ledger (an id that is none, a time that does not exist). Kept for a person to
    look at: it would stop everything behind it otherwise, and dropping it would lose money in silence."""

    received_at = models.DateTimeField(default=timezone.now)
    source = models.CharField(max_length=200, blank=True)
    line = models.TextField()
    error = models.TextField()

    class Meta:
        ordering = ("-received_at",)

    def __str__(self) -> str:
        return f"{self.error[:80]} ({self.received_at:%Y-%m-%d %H:%M})"


class UnpricedModel(models.Model):
    """An alarm: something was used for which no price is known, so what it cost is missing everywhere."""

    model = models.CharField(max_length=200)
    provider = models.CharField(max_length=100)
    deployment = models.CharField(max_length=200)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    calls = models.BigIntegerField(default=0)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-last_seen",)
        constraints = (models.UniqueConstraint(fields=("model", "provider", "deployment"), name="usage_one_alarm_per_model"),)

    def __str__(self) -> str:
        return f"{self.model} at {self.provider} ({self.deployment})"
