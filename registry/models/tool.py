"""Tools: one row per name for as long as the server exists, and one definition per version."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from registry.models.item import price_text
from registry.models.server import Server, ServerVersion
from usage.exact import ExactDecimalField


class Described(models.Model):
    """Raw JSON of a tool as the server sent it, byte for byte, and the digest of its canonical form."""

    name = models.CharField(max_length=128)
    definition = models.BinaryField(default=b"", editable=False)
    digest = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        abstract = True

    @cached_property
    def parsed(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(bytes(self.definition)) if self.definition else {}
        return value

    @property
    def title(self) -> str:
        annotations = self.parsed.get("annotations")
        named = self.parsed.get("title") or (annotations.get("title") if isinstance(annotations, dict) else None)
        return named if isinstance(named, str) else ""

    @property
    def description(self) -> str:
        text = self.parsed.get("description")
        return text if isinstance(text, str) else ""

    @property
    def hints(self) -> dict[str, bool]:
        """The annotations that tell a tool's side effects, only those that were given."""
        annotations = self.parsed.get("annotations")
        if not isinstance(annotations, dict):
            return {}
        return {name: value for name, value in annotations.items() if name.endswith("Hint") and isinstance(value, bool)}


class ToolDefinition(Described):
    """A tool as one version of its server defines it."""

    version = models.ForeignKey(ServerVersion, on_delete=models.CASCADE, related_name="definitions")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["version", "name"], name="registry_definition_once_per_version")]

    def __str__(self) -> str:
        return self.name


class Tool(Described):
    """What is granted, priced and called. `definition` is the one that was approved, empty before the first approval.

    `approved` says that the live version has it; `withheld` is an admin's word that callers don't get it all the same.
    `price` is USD per call."""

    owner_team_field: ClassVar[str] = "server__owner_team"
    resource_relations: ClassVar[tuple[str, ...]] = ("server",)

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="tools")
    version = models.ForeignKey(ServerVersion, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    approved = models.BooleanField(default=False, editable=False)
    withheld = models.BooleanField(default=False, editable=False)
    price = ExactDecimalField(
        "price per call (USD)", max_digits=24, decimal_places=12, null=True, blank=True, validators=[MinValueValidator(Decimal(0))]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["server__slug", "name"]
        constraints = [models.UniqueConstraint(fields=["server", "name"], name="registry_tool_once_per_server")]
        permissions = [("use_tool", "Can call the tool")]

    def __str__(self) -> str:
        return f"{self.server.slug}/{self.name}"

    @property
    def resource_ref(self) -> str:
        return f"tool:{self.server.slug}/{self.name}"

    @property
    def price_text(self) -> str:
        return price_text(self.price)

    @property
    def label(self) -> str:
        return self.title or self.name

    @property
    def offered(self) -> bool:
        """Whether callers who may use it get it, as far as the tool itself goes."""
        return self.approved and not self.withheld
