"""Sums per day, so that a report does not read the month's every call."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.utils import timezone

from usage.exact import ExactDecimalField
from usage.models.ledger import Dimensions


class Rollup(Dimensions):
    """All calls of a day (UTC) that agree in every dimension. `digest` is over the dimensions, for uniqueness.

    `errors` are outcomes error and unknown; `unpriced` calls have no cost, so it is not in `cost`.
    `saved` is beside the cost."""

    owner_team_field: ClassVar[str] = "team_id"

    day = models.DateField()
    digest = models.CharField(max_length=64)
    calls = models.BigIntegerField()
    errors = models.BigIntegerField()
    unpriced = models.BigIntegerField()
    estimated = models.BigIntegerField()
    input = models.BigIntegerField()
    cached_read = models.BigIntegerField()
    cache_write = models.BigIntegerField()
    output = models.BigIntegerField()
    cost = ExactDecimalField(max_digits=24, decimal_places=12)
    saved = ExactDecimalField(max_digits=24, decimal_places=12, default=Decimal(0))

    class Meta:
        ordering = ("-day", "id")
        constraints = (models.UniqueConstraint(fields=("day", "digest"), name="usage_one_rollup_per_day_and_dimensions"),)
        indexes = (
            models.Index(fields=("team_id", "day"), name="usage_rollup_team_day"),
            models.Index(fields=("model", "day"), name="usage_rollup_model_day"),
        )

    def __str__(self) -> str:
        return f"{self.day}: {self.model or self.tool or self.server or self.agent} for {self.principal_name}"


class StaleDay(models.Model):
    """Written in one transaction with new entries of that day: its rollup does not know them yet. Many rows per day, so
    that those who record never wait for each other."""

    day = models.DateField(db_index=True)

    def __str__(self) -> str:
        return str(self.day)


class RolledDay(models.Model):
    """A day whose rollup exists, and the lock under which it is made."""

    day = models.DateField(primary_key=True)
    entries = models.BigIntegerField(default=0)
    rolled_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-day",)

    def __str__(self) -> str:
        return str(self.day)
