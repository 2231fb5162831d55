"""What becomes of an item when one of its versions goes live."""

from __future__ import annotations

from typing import Any

from identity.models import User
from registry.actions.writing import note
from registry.catalog import index
from registry.models import AgentVersion, ServerVersion, SkillVersion, Tool, Version


def go_live(actor: User | None, version: Any, *, reason: str = "") -> None:
    """Part of the caller's transaction; the item is locked."""
    item = version.item
    before = item.live_version
    item.live_version = version
    fields = ["live_version", *_take_over(item, version)]
    item.save(update_fields=[*fields, "updated_at"])
    changes = {
        "live_version": [before.version if before else None, version.version],
        "digest": [before.digest if before else None, version.digest],
    }
    note(actor=actor, action=f"{item._meta.model_name}.live", target=item, item=item, changes=changes, reason=reason)
    index.refresh(item)


def _take_over(item: Any, version: Version) -> list[str]:
    """Copies what the item shows of its live version. Returns the fields that were set."""
    if isinstance(version, ServerVersion):
        item.url = version.url
        _approve_tools(version)
        return ["url"]
    if isinstance(version, AgentVersion):
        item.url = version.card_url
        item.name = item.name or version.parsed["name"]
        return ["url", "name"]
    if isinstance(version, SkillVersion):
        item.description = str(version.frontmatter.get("description", "")).strip()[:1024]
        return ["description"]
    raise TypeError(f"{type(version).__name__} is no version that can be live")


def _approve_tools(version: ServerVersion) -> None:
    """The tools' rows get the definitions of this version; tools that it lacks are no longer approved. Prices, grants and
    what was withheld stay with the name."""
    definitions = list(version.definitions.all())
    Tool.objects.filter(server=version.server, approved=True).exclude(name__in=[tool.name for tool in definitions]).update(approved=False)
    Tool.objects.bulk_create(
        (
            Tool(server=version.server, name=tool.name, definition=tool.definition, digest=tool.digest, version=version, approved=True)
            for tool in definitions
        ),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["server", "name"],
        update_fields=["definition", "digest", "version", "approved", "updated_at"],
    )
