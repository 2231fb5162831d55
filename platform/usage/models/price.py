"""The price catalogue: dated, never changed. A newer price is a newer row."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils import timezone

from dataplane import money
from dataplane.snapshot import PriceRecord

METERS = (
    "input",
    "output",
    "cached_read",
    "cache_write_5m",
    "cache_write_1h",
    "audio_input",
    "audio_output",
    "request",
    "image",
    "second",
)
"""Fields of a price: USD per million tokens; the last three USD per one."""


def _meter(label: str, *, null: bool = True) -> models.DecimalField[Decimal | None, Decimal | None]:
    return models.DecimalField(label, max_digits=20, decimal_places=10, null=null, blank=null)


class Price(models.Model):
    """What a vendor's model costs from a day on (UTC). A catalogue row names vendor and model as the catalogue does; an
    override names our model and no vendor, or a vendor and its model when we have terms of our own there.

    `revision` tells apart what was stated twice for one day: the later one counts, and the earlier one stays what the
    events priced by it say. A withdrawn price counts no more from that moment."""

    class Source(models.TextChoices):
        CATALOGUE = "genai-prices", "Catalogue (genai-prices)"
        OVERRIDE = "override", "Override"

    vendor = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=200)
    valid_from = models.DateField()
    revision = models.PositiveSmallIntegerField(default=1)
    source = models.CharField(max_length=16, choices=Source)
    input = _meter("input", null=False)
    output = _meter("output", null=False)
    cached_read = _meter("cached input, read")
    cache_write_5m = _meter("cache write, 5 minutes")
    cache_write_1h = _meter("cache write, 1 hour")
    audio_input = _meter("audio input")
    audio_output = _meter("audio output")
    request = _meter("each request")
    image = _meter("each image")
    second = _meter("each second")
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("vendor", "model", "-valid_from", "-revision")
        constraints = (
            models.UniqueConstraint(fields=("vendor", "model", "valid_from", "revision", "source"), name="usage_price_stated_once"),
            models.CheckConstraint(
                condition=models.Q(**{f"{meter}__gte": 0 for meter in ("input", "output")})
                & models.Q(*[models.Q(**{f"{meter}__gte": 0}) | models.Q(**{f"{meter}__isnull": True}) for meter in METERS[2:]]),
                name="usage_price_not_negative",
            ),
        )
        indexes = (models.Index(fields=("model", "vendor", "-valid_from"), name="usage_price_lookup"),)

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """`catalogue:openai/gpt-4o-mini@2026-11-22`, `override:gpt-4o-mini@2026-11-22`, a second one of that day `…@2026-11-22.2`."""
        kind = "override" if self.source == self.Source.OVERRIDE else "catalogue"
        name = f"{self.vendor}/{self.model}" if self.vendor else self.model
        return f"{kind}:{name}@{self.valid_from}" + (f".{self.revision}" if self.revision > 1 else "")

    @property
    def amounts(self) -> dict[str, Decimal]:
        """Amount by meter, of those that are priced apart."""
        return {meter: amount for meter in METERS if (amount := getattr(self, meter)) is not None}

    def record(self) -> PriceRecord:
        """As the data plane needs it."""
        return PriceRecord(ref=self.ref, **{meter: money.to_text(amount) for meter, amount in self.amounts.items()})
