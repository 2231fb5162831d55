"""Toolsets: virtual servers over approved tools of several servers."""

from __future__ import annotations

from django.core.validators import MaxLengthValidator
from django.db import models

from registry.models.item import Item
from registry.names import SLUG


class Toolset(Item):
    """Served at `/mcp/<slug>` like a server. `members` are patterns `server-slug/tool` or `server-slug/*`."""

    slug = models.CharField(max_length=64, unique=True, validators=[SLUG], help_text="Its address: /mcp/ and this. No server has the same.")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True, validators=[MaxLengthValidator(4000)], help_text="Markdown, shown in the catalog.")
    members = models.JSONField(default=list, help_text='Patterns such as "weather/get_forecast" or "tracker/*".')

    class Meta:
        ordering = ["slug"]
        permissions = [("use_toolset", "Can call the tools of the toolset")]

    def __str__(self) -> str:
        return self.slug

    @property
    def resource_ref(self) -> str:
        return f"toolset:{self.slug}"

    @property
    def label(self) -> str:
        return self.name
