"""Deleting items. What happened with them stays in the audit trail and the ledger, which keep names and not rows."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from identity import actions as identity
from identity.models import User
from registry import permissions
from registry.actions.reviews import cancel
from registry.actions.writing import note
from registry.catalog import index
from registry.models import Agent, Blob, Server, Skill, Toolset

Deletable = Server | Agent | Skill | Toolset


@transaction.atomic
def delete_item(*, actor: User | None, item: Deletable) -> None:
    """Deletes a server, agent, skill or toolset with its versions and grants. An agent's identity is deactivated."""
    permissions.require_change(actor, item)
    kind = item._meta.model_name
    for version in item.versions.all() if not isinstance(item, Toolset) else ():
        cancel(actor, version, reason="It was deleted.")
    identity.withdraw_all(actor=None, obj=item)
    if isinstance(item, Server):
        for tool in item.tools.all():
            identity.withdraw_all(actor=None, obj=tool)
    note(actor=actor, action=f"{kind}.delete", target=item, item=item, changes={"slug": [item.slug, None]})
    index.forget(item)
    principal: Any = item.identity if isinstance(item, Agent) else None
    item.delete()
    if principal is not None:
        identity.update_user(actor=None, user=principal, is_active=False)
    if isinstance(item, Skill):
        Blob.objects.filter(files=None).delete()
