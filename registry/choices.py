"""The closed lists of the registry. Values are stored, published and written in config files."""

from __future__ import annotations

from django.db import models


class Kind(models.TextChoices):
    """What the catalog holds. The value is the first part of a resource reference and of `use_<kind>`."""

    MODEL = "model", "Model"
    SERVER = "server", "MCP server"
    TOOL = "tool", "Tool"
    TOOLSET = "toolset", "Toolset"
    AGENT = "agent", "Agent"
    SKILL = "skill", "Skill"


class VersionState(models.TextChoices):
    """draft → pending → approved | rejected; approved → deprecated. A deprecated version is still served where it is
    live, with a warning: freezing is what cuts callers off."""

    DRAFT = "draft", "Draft"
    PENDING = "pending", "Waiting for review"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    DEPRECATED = "deprecated", "Deprecated"


SERVED = (VersionState.APPROVED, VersionState.DEPRECATED)
"""States in which a version may be what callers get."""


class Status(models.TextChoices):
    """An admin's say over the whole item, apart from its versions. Frozen and retired items are not served at all."""

    ACTIVE = "active", "Active"
    FROZEN = "frozen", "Frozen"
    RETIRED = "retired", "Retired"


class Decision(models.TextChoices):
    PENDING = "pending", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Era(models.TextChoices):
    """Which generation of MCP is spoken to a server. `auto` asks the newest first and falls back."""

    AUTO = "auto", "Automatic"
    LEGACY = "legacy", "2025-11-25 and older (sessions)"
    MODERN = "2026-07-28", "2026-07-28 (stateless)"


class Health(models.TextChoices):
    """What the last checks say. One missed check makes an item degraded, several in a row make it down."""

    UNKNOWN = "unknown", "Not checked"
    HEALTHY = "healthy", "Healthy"
    DEGRADED = "degraded", "Degraded"
    DOWN = "down", "Down"


class Risk(models.IntegerChoices):
    """How loudly a reviewer is told about a finding."""

    NOTE = 1, "Note"
    WARNING = 2, "Warning"
    DANGER = 3, "Danger"
