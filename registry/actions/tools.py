"""What an admin says about a single tool, apart from the server's own definition of it."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from identity.models import User
from registry import permissions
from registry.actions.writing import note
from registry.catalog import index
from registry.models import Tool


@transaction.atomic
def set_tool_price(*, actor: User | None, tool: Tool, price: Decimal | None) -> Tool:
    """USD per call; None makes calls free of charge."""
    permissions.require_change(actor, tool.server)
    before = tool.price
    if before == price:
        return tool
    tool.price = price
    tool.full_clean(validate_unique=False)
    tool.save(update_fields=["price", "updated_at"])
    note(actor=actor, action="tool.price", target=tool, item=tool, changes={"price": [before, price]})
    return tool


@transaction.atomic
def withhold_tool(*, actor: User | None, tool: Tool) -> Tool:
    """Callers no longer get the tool, also when a new version of its server is approved."""
    return _set_withheld(actor, tool, withheld=True)


@transaction.atomic
def offer_tool(*, actor: User | None, tool: Tool) -> Tool:
    """Takes back `withhold_tool`. Takes a reviewer, as what was withheld may have been so for a reason."""
    permissions.require_unfreeze(actor, tool.server.owner_team)
    return _set_withheld(actor, tool, withheld=False)


def _set_withheld(actor: User | None, tool: Tool, *, withheld: bool) -> Tool:
    if withheld:
        permissions.require_change(actor, tool.server)
    if tool.withheld != withheld:
        tool.withheld = withheld
        tool.save(update_fields=["withheld", "updated_at"])
        note(
            actor=actor,
            action="tool.withhold" if withheld else "tool.offer",
            target=tool,
            item=tool,
            changes={"withheld": [not withheld, withheld]},
        )
        index.refresh(tool.server)
    return tool
