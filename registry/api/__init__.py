"""The registry in the management API, over the same actions as the admin."""

from __future__ import annotations

from typing import Any

from registry.api.items import AgentViewSet, CollectionViewSet, ServerViewSet, SkillViewSet, ToolsetViewSet, ToolViewSet
from registry.api.reviews import AgentVersionViewSet, ReviewViewSet, ServerVersionViewSet, SkillVersionViewSet


def api_routes() -> list[tuple[str, Any, str]]:
    return [
        ("servers", ServerViewSet, "server"),
        ("server-versions", ServerVersionViewSet, "server-version"),
        ("tools", ToolViewSet, "tool"),
        ("toolsets", ToolsetViewSet, "toolset"),
        ("agents", AgentViewSet, "agent"),
        ("agent-versions", AgentVersionViewSet, "agent-version"),
        ("skills", SkillViewSet, "skill"),
        ("skill-versions", SkillVersionViewSet, "skill-version"),
        ("collections", CollectionViewSet, "collection"),
        ("reviews", ReviewViewSet, "review"),
    ]
