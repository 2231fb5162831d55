"""Versions that an upstream's change brought about, without anybody proposing them."""

from __future__ import annotations

from typing import Any

from identity.models import User
from registry.actions.reviews import cancel, submit
from registry.actions.writing import note
from registry.choices import VersionState
from registry.models import Review, Version


def existing(item: Any, digest: str) -> Version | None:
    """The newest version of this content, so that asking again makes no second one."""
    found: Version | None = item.versions.filter(digest=digest).order_by("-id").first()
    return found


def replace_unseen(actor: User | None, item: Any) -> None:
    """Drops earlier finds that still wait: an upstream that changes at every look leaves one version to review, not
    thousands. Their audit rows stay."""
    for version in item.versions.filter(found_by_refresh=True, state__in=(VersionState.DRAFT, VersionState.PENDING)):
        cancel(actor, version, reason="The upstream changed again before this was decided.")
        note(
            actor=actor,
            action=f"{item._meta.model_name}.version_dropped",
            target=version,
            item=item,
            changes={"version": [version.version, None]},
        )
        version.delete()


def submit_found(version: Version) -> Review:
    """Into the inbox, with the system as the one who asks."""
    return submit(actor=None, version=version, note="The upstream changed by itself.")
