"""What the catalog's search reads: one row per item and per tool, kept in step by the actions."""

from __future__ import annotations

from django.db import models

from registry.choices import Kind


class SearchDocument(models.Model):
    """The words of one entry. `state` and `team` are facets; `parent` is the server's id of a tool.

    The full-text index over title, summary and body lives beside this table, see registry.catalog.fulltext."""

    kind = models.CharField(max_length=16, choices=Kind.choices)
    object_id = models.PositiveBigIntegerField()
    parent_id = models.PositiveBigIntegerField(null=True)
    name = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    summary = models.TextField(blank=True)
    state = models.CharField(max_length=16)
    visible = models.BooleanField(default=False, help_text="Discoverable and live: everybody signed in may see it.")
    team = models.ForeignKey("identity.Team", null=True, on_delete=models.CASCADE, related_name="+")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "object_id"], name="registry_search_once")]
        indexes = [models.Index(fields=["kind", "title"], name="registry_search_kind")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"
