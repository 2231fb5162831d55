"""Agents (A2A) and the versions of their cards."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator, MinValueValidator
from django.db import models

from registry.models.item import Called, Item, Watched, price_text
from registry.models.version import Version
from registry.names import SLUG
from usage.exact import ExactDecimalField


class Agent(Item, Called, Watched):
    """An agent, called at `/a2a/<slug>`. `url` is where its card is looked for. As a caller it is `identity`, a
    principal of its own with keys and grants. `price` is USD per call."""

    slug = models.CharField(max_length=64, unique=True, validators=[SLUG], help_text="Its address: /a2a/ and this.")
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True, validators=[MaxLengthValidator(4000)], help_text="Markdown, shown in the catalog.")
    url = models.CharField("URL", max_length=1000, help_text="Its base address or the address of its card.")
    identity = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.PROTECT, related_name="registered_agent"
    )
    sponsor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The person who vouches for it.",
    )
    price = ExactDecimalField(
        "price per call (USD)", max_digits=24, decimal_places=12, null=True, blank=True, validators=[MinValueValidator(Decimal(0))]
    )
    live_version = models.ForeignKey("registry.AgentVersion", null=True, editable=False, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["slug"]
        permissions = [("use_agent", "Can call the agent")]

    def __str__(self) -> str:
        return self.slug

    @property
    def resource_ref(self) -> str:
        return f"agent:{self.slug}"

    @property
    def price_text(self) -> str:
        return price_text(self.price)

    @property
    def label(self) -> str:
        return self.name or self.slug


class AgentVersion(Version):
    """A card as the agent published it once: `card` holds its bytes, `parsed` what registry.discovery.cards read from
    it. `url` is its JSON-RPC interface, `protocol_version` the A2A version spoken there."""

    owner_team_field: ClassVar[str] = "agent__owner_team"
    item_field: ClassVar[str] = "agent"
    CONTENT: ClassVar[tuple[str, ...]] = ("version", "digest", "card", "parsed", "url", "protocol_version")

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    card = models.BinaryField(editable=False)
    card_url = models.CharField(max_length=1000, editable=False)
    parsed = models.JSONField(default=dict, editable=False)
    url = models.CharField("URL", max_length=1000, editable=False)
    protocol_version = models.CharField(max_length=16, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["agent", "version"], name="registry_agent_version_once")]

    def __str__(self) -> str:
        return f"{self.agent.slug} {self.version}"

    @property
    def item(self) -> Agent:
        return self.agent
