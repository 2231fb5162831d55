"""MCP servers and their versions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MaxLengthValidator
from django.db import models

from registry.choices import Era
from registry.models.item import Called, Item, Watched
from registry.models.version import Version
from registry.names import SERVER_NAME, SLUG


class Server(Item, Called, Watched):
    """An MCP server, called at `/mcp/<slug>`. `url` is the address of the live version, or the first proposed one."""

    name = models.CharField(max_length=251, unique=True, validators=[SERVER_NAME], help_text="Reverse-DNS, such as io.github.acme/weather.")
    slug = models.CharField(max_length=64, unique=True, validators=[SLUG], help_text="Its address: /mcp/ and this.")
    title = models.CharField(max_length=100, blank=True)
    description = models.TextField(blank=True, validators=[MaxLengthValidator(4000)], help_text="Markdown, shown in the catalog.")
    url = models.CharField("URL", max_length=1000)
    era = models.CharField("protocol", max_length=16, choices=Era.choices, default=Era.AUTO)
    live_version = models.ForeignKey("registry.ServerVersion", null=True, editable=False, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["slug"]
        verbose_name = "MCP server"
        permissions = [
            ("use_server", "Can call every approved tool of the server"),
            ("allow_private_network", "Can let the house call private addresses"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def resource_ref(self) -> str:
        return f"server:{self.slug}"

    @property
    def label(self) -> str:
        return self.title or self.slug


class ServerVersion(Version):
    """A server as it described itself once. `document` has the shape of the MCP registry's server.json (2025-12-11);
    the tools are `definitions`. `era` is what was spoken when it was asked."""

    owner_team_field: ClassVar[str] = "server__owner_team"
    item_field: ClassVar[str] = "server"
    CONTENT: ClassVar[tuple[str, ...]] = ("version", "digest", "document", "capabilities", "instructions", "server_id", "url")

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="versions")
    url = models.CharField("URL", max_length=1000, editable=False)
    document = models.JSONField(default=dict, editable=False)
    capabilities = models.JSONField(default=dict, editable=False)
    instructions = models.TextField(blank=True, editable=False)
    era = models.CharField("protocol", max_length=16, blank=True, editable=False)
    problems = models.JSONField(default=list, editable=False, help_text="What was left out of it, and why.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["server", "version"], name="registry_server_version_once")]

    def __str__(self) -> str:
        return f"{self.server.slug} {self.version}"

    @property
    def item(self) -> Server:
        return self.server

    @property
    def identity(self) -> dict[str, Any]:
        """What the server calls itself, its `serverInfo`."""
        found: dict[str, Any] = self.document.get("_meta", {}).get("customhouse/serverInfo", {})
        return found
