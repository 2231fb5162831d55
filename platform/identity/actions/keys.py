from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit import trail
from dataplane.snapshot import key_shard
from identity import guards, keytext
from identity.actions.changes import apply_values, created_changes
from identity.models import APIKey, User

FIELDS = ("name", "expires_at", "rpm", "tpm", "concurrency", "use_cache")
LONGEST_OVERLAP = timedelta(days=90)


@transaction.atomic
def issue_key(
    *, actor: User | None, owner: User, name: str, secret: str | None = None, purpose: str = "", **values: Any
) -> tuple[APIKey, str]:
    """A key and its text, which is known only now. `secret` is a whole key text chosen elsewhere (config as code);
    `purpose` is that of a page which makes a key for itself (`issue_page_key`);
    `values` are expires_at, rpm, tpm, concurrency and use_cache."""
    guards.require_key_power(actor, owner)
    if not owner.is_active:
        raise ValidationError({"owner": "This account is not active."})
    _check_expiry(values.get("expires_at"))
    text = keytext.generate() if secret is None else secret
    key = APIKey(owner=owner, name=name, prefix=keytext.prefix_of(text), digest=keytext.digest_of(text), purpose=purpose)
    for field, value in values.items():
        if field not in FIELDS:
            raise ValidationError(f"A key has no field {field}.")
        setattr(key, field, value)
    if APIKey.objects.filter(Q(prefix=key.prefix) | Q(digest=key.digest)).exists():
        raise ValidationError({"secret": "A key with these public characters exists already."})
    key.full_clean()
    key.save()
    changes: dict[str, list[Any]] = {**created_changes(key, FIELDS), "owner": [None, owner.username]}
    trail.record(actor=actor, action="identity.key.issue", target=key, changes=changes, extra=_extra(key))
    return key, text


@transaction.atomic
def rotate_key(*, actor: User | None, key: APIKey, overlap: timedelta, expires_at: datetime | None = None) -> tuple[APIKey, str]:
    """A successor of the same name, owner, limits and (unless `expires_at` is given) lifetime. Both work for `overlap`."""
    old = APIKey.objects.select_for_update(of=("self",)).select_related("owner").get(pk=key.pk)
    guards.require_key_power(actor, old.owner)
    _refuse_for_pages(old)
    if old.state != "active":
        raise ValidationError(f"This key is {old.state}: only an active key can be rotated.")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValidationError({"overlap": f"The overlap is between nothing and {LONGEST_OVERLAP.days} days."})
    now = timezone.now()
    before = old.expires_at
    old.rotated_at = now
    old.expires_at = min(now + overlap, before or now + overlap)
    old.save(update_fields=["rotated_at", "expires_at"])  # frees the name for the successor
    if expires_at is None and before is not None:
        expires_at = now + (before - old.created_at)
    new, text = issue_key(
        actor=actor,
        owner=old.owner,
        name=old.name,
        expires_at=expires_at,
        rpm=old.rpm,
        tpm=old.tpm,
        concurrency=old.concurrency,
        use_cache=old.use_cache,
    )
    old.replaced_by = new
    old.save(update_fields=["replaced_by"])
    changes: dict[str, list[Any]] = {"expires_at": [before, old.expires_at], "replaced_by": [None, new.prefix]}
    trail.record(actor=actor, action="identity.key.rotate", target=old, changes=changes, extra=_extra(old))
    return new, text


@transaction.atomic
def revoke_key(*, actor: User | None, key: APIKey, reason: str = "") -> APIKey:
    """Takes effect with the publication of this commit. Revoking a revoked key changes nothing."""
    if actor != key.owner:
        guards.require_user(actor, key.owner)
    revoked_at = timezone.now()
    if not APIKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=revoked_at):
        key.refresh_from_db()
        return key
    key.revoked_at = revoked_at
    extra = {**_extra(key), "reason": reason} if reason else _extra(key)
    trail.record(actor=actor, action="identity.key.revoke", target=key, changes={"revoked_at": [None, revoked_at]}, extra=extra)
    return key


@transaction.atomic
def update_key(*, actor: User | None, key: APIKey, **values: Any) -> APIKey:
    """Set any of name, expires_at, rpm, tpm, concurrency, use_cache of a key that is not revoked. A later expiry needs as much power
    as issuing does."""
    stored = APIKey.objects.select_related("owner").get(pk=key.pk)
    guards.require_key_power(actor, stored.owner)
    _refuse_for_pages(stored)
    if stored.revoked_at is not None:
        raise ValidationError("This key is revoked.")
    if "expires_at" in values and values["expires_at"] != stored.expires_at:
        if stored.rotated_at is not None:
            raise ValidationError({"expires_at": "This key was rotated: its end is settled. Revoke it to end it now."})
        _check_expiry(values["expires_at"])
    changes = apply_values(key, values, allowed=FIELDS)
    if changes:
        trail.record(actor=actor, action="identity.key.update", target=key, changes=changes, extra=_extra(key))
    return key


def mark_keys_used(used: Mapping[int, datetime]) -> None:
    """Move `last_used_at` of these keys forward. Observed, not decided by anybody: it leaves no audit row."""
    for pk, at in used.items():
        APIKey.objects.filter(pk=pk).filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=at)).update(last_used_at=at)


def _refuse_for_pages(key: APIKey) -> None:
    if key.purpose:
        raise ValidationError("A page of the house made this key for itself, for minutes: revoke it, or make one of your own.")


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "This is in the past."})


def _extra(key: APIKey) -> dict[str, Any]:
    """The section that a change of this key republishes, so that whoever publishes needs no look-up."""
    return {"section": key_shard(bytes.fromhex(key.digest))}
