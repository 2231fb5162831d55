"""Every write of the registry. Each action takes `actor` (None is the system), runs in a transaction and leaves an audit
row per changed object. They raise ValidationError for bad input and PermissionDenied for too little power.

Those that call out do so before their transaction begins; callers inside one pass what they found as `found`.
"""

from __future__ import annotations

from registry.actions.access import request_access
from registry.actions.agents import look_at_agent, new_agent_version, refresh_agent, register_agent, update_agent
from registry.actions.collections import add_to_collection, create_collection, delete_collection, remove_from_collection, update_collection
from registry.actions.credentials import reseal_credential, set_credential
from registry.actions.health import record_health
from registry.actions.removal import delete_item
from registry.actions.reviews import approve, deprecate, make_live, publish, reject, reopen, submit, withdraw
from registry.actions.servers import look_at_server, new_server_version, refresh_server, register_server, update_server
from registry.actions.skills import new_skill_version, register_skill, update_skill
from registry.actions.status import freeze, reinstate, retire
from registry.actions.tools import offer_tool, set_tool_price, withhold_tool
from registry.actions.toolsets import create_toolset, update_toolset

__all__ = [
    "add_to_collection",
    "approve",
    "create_collection",
    "create_toolset",
    "delete_collection",
    "delete_item",
    "deprecate",
    "freeze",
    "look_at_agent",
    "look_at_server",
    "make_live",
    "new_agent_version",
    "new_server_version",
    "new_skill_version",
    "offer_tool",
    "publish",
    "record_health",
    "refresh_agent",
    "refresh_server",
    "register_agent",
    "register_server",
    "register_skill",
    "reinstate",
    "reject",
    "remove_from_collection",
    "reopen",
    "request_access",
    "reseal_credential",
    "retire",
    "set_credential",
    "set_tool_price",
    "submit",
    "update_agent",
    "update_collection",
    "update_server",
    "update_skill",
    "update_toolset",
    "withdraw",
    "withhold_tool",
]
