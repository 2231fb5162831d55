from __future__ import annotations

from identity.admin import passwords
from identity.admin.keys import APIKeyAdmin
from identity.admin.roles import RoleAdmin
from identity.admin.teams import TeamAdmin
from identity.admin.users import AgentIdentityAdmin, ServiceAccountAdmin, UserAdmin

__all__ = ["APIKeyAdmin", "AgentIdentityAdmin", "RoleAdmin", "ServiceAccountAdmin", "TeamAdmin", "UserAdmin", "passwords"]
