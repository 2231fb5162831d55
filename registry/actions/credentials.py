"""What servers and agents are called with."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from adminkit.sealed import Resealed, seal_anew
from identity.models import User
from registry import permissions
from registry.actions.writing import note
from registry.credentials import clean_secret, seal, sealer
from registry.names import HEADER_NAME


@transaction.atomic
def set_credential(*, actor: User | None, item: Any, secret: str | None, header: str | None = None) -> None:
    """Replaces the credential of a server or an agent; None takes it away. In use as soon as this is published."""
    permissions.require_change(actor, item)
    had = item.credential is not None
    before = item.credential_header
    if header is not None:
        HEADER_NAME(header)
        item.credential_header = header.lower()
    if secret is None:
        item.credential = item.credential_set_at = None
        item.save(update_fields=["credential", "credential_set_at", "credential_header", "updated_at"])
    else:
        store_credential(item, clean_secret(secret, header=item.credential_header))
    changes: dict[str, list[Any]] = {"credential": [had, secret is not None]}
    if before != item.credential_header:
        changes["credential_header"] = [before, item.credential_header]
    note(actor=actor, action=f"{item._meta.model_name}.set_credential", target=item, item=item, changes=changes)


@transaction.atomic
def reseal_credential(*, actor: User | None, row: Any, dry: bool = False) -> Resealed:
    """Seals the credential of a server or an agent with the house's first sealing key, where another one sealed it."""
    item = type(row)._base_manager.select_for_update(of=("self",)).get(pk=row.pk)
    found = seal_anew(sealer(), item, {"credential": item.credential_place})
    if found.done and not dry:
        item.save(update_fields=list(found.done))
        note(actor=actor, action=f"{item._meta.model_name}.reseal", target=item, item=item, changes=found.changes)
    return found


def store_credential(item: Any, secret: str) -> None:
    """Part of the caller's transaction."""
    item.credential = seal(item, secret)
    item.credential_set_at = timezone.now()
    item.save(update_fields=["credential", "credential_set_at", "credential_header", "updated_at"])
