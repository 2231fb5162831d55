from __future__ import annotations

from registry.admin.agents import AgentAdmin
from registry.admin.reviews import ReviewAdmin
from registry.admin.servers import ServerAdmin, ToolAdmin
from registry.admin.skills import CollectionAdmin, SkillAdmin
from registry.admin.toolsets import ToolsetAdmin

__all__ = ["AgentAdmin", "CollectionAdmin", "ReviewAdmin", "ServerAdmin", "SkillAdmin", "ToolAdmin", "ToolsetAdmin"]
