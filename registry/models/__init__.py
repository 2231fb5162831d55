"""The registry's tables. Rows are written by `registry.actions` only."""

from __future__ import annotations

from registry.models.access import AccessRequest
from registry.models.agent import Agent, AgentVersion
from registry.models.item import Item
from registry.models.review import Review
from registry.models.search import SearchDocument
from registry.models.server import Server, ServerVersion
from registry.models.skill import Blob, Collection, Skill, SkillFile, SkillVersion
from registry.models.tool import Tool, ToolDefinition
from registry.models.toolset import Toolset
from registry.models.version import Version

__all__ = [
    "AccessRequest",
    "Agent",
    "AgentVersion",
    "Blob",
    "Collection",
    "Item",
    "Review",
    "SearchDocument",
    "Server",
    "ServerVersion",
    "Skill",
    "SkillFile",
    "SkillVersion",
    "Tool",
    "ToolDefinition",
    "Toolset",
    "Version",
]
