"""Every write of this app. Each action takes `actor` (None is the system), runs in a transaction and leaves one audit row
per changed object. They raise ValidationError for bad input and PermissionDenied for too little power."""

from __future__ import annotations

from identity.actions.grants import grant, withdraw, withdraw_all
from identity.actions.keys import issue_key, mark_keys_used, revoke_key, rotate_key, update_key
from identity.actions.page_keys import end_page_keys, issue_page_key
from identity.actions.roles import create_role, delete_role, give_roles, update_role
from identity.actions.teams import create_team, delete_team, move_team, update_team
from identity.actions.users import create_agent_identity, create_service_account, create_user, set_password, update_user

__all__ = [
    "create_agent_identity",
    "create_role",
    "create_service_account",
    "create_team",
    "create_user",
    "delete_role",
    "delete_team",
    "end_page_keys",
    "give_roles",
    "grant",
    "issue_key",
    "issue_page_key",
    "mark_keys_used",
    "move_team",
    "revoke_key",
    "rotate_key",
    "set_password",
    "update_key",
    "update_role",
    "update_team",
    "update_user",
    "withdraw",
    "withdraw_all",
]
