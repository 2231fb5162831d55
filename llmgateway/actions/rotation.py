"""Rotation of a provider's credential without a moment in which calls fail: the next one is stored and tested beside the one
in use, then switched to; the one before stays for an instant way back until it is dropped.

Calls that are running when it is switched end with the credential that they began with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from adminkit.sealed import Resealed, seal_anew
from audit import trail
from dataplane.sealing import SealError
from identity.models import User
from llmgateway.actions.fields import naming
from llmgateway.actions.providers import forget_health, locked
from llmgateway.credentials import moved, sealer
from llmgateway.models import Provider
from llmgateway.validators import clean_credential

UNSEALABLE = "A stored credential does not open with the sealing keys that are set: enter it again."


@transaction.atomic
def set_next_credential(*, actor: User | None, provider: Provider, api_key: str) -> Provider:
    """Seals the credential that shall follow the one in use. It is used by nothing before it was tested and switched to."""
    provider = locked(provider)
    if not provider.has_credential:
        raise ValidationError({"api_key": "There is no credential in use that this one could follow: enter it as the credential."})
    with naming("api_key"):
        secret = clean_credential(api_key)
    had = provider.next_set_at is not None
    provider.next_credential = sealer().seal(secret, bound_to=provider.next_place)
    provider.next_set_at, provider.next_tested_at = timezone.now(), None
    return _saved(actor, provider, "next", next_credential=["set", "replaced"] if had else [None, "set"])


@transaction.atomic
def record_next_test(*, actor: User | None, provider: Provider, ok: bool) -> Provider:
    """What the vendor said to the next credential. A test of one that was replaced meanwhile says nothing."""
    asked_with = provider.next_set_at
    provider = locked(provider)
    if provider.next_set_at is None or provider.next_set_at != asked_with:
        return provider
    before = provider.next_tested_at is not None
    provider.next_tested_at = timezone.now() if ok else None
    provider.save(update_fields=["next_tested_at"])
    if ok != before:
        trail.record(actor=actor, action="llmgateway.provider.test_next", target=provider, changes={"next_accepted": [before, ok]})
    return provider


@transaction.atomic
def drop_next_credential(*, actor: User | None, provider: Provider) -> Provider:
    provider = locked(provider)
    if provider.next_set_at is None:
        return provider
    _clear_next(provider)
    return _saved(actor, provider, "drop_next", next_credential=["set", None])


@transaction.atomic
def switch_credential(*, actor: User | None, provider: Provider) -> Provider:
    """From the credential in use to the next one, which the vendor must have accepted. A previous one that is still kept gives
    way to the one that was in use until now."""
    provider = locked(provider)
    if provider.next_credential is None or provider.credential is None:
        raise ValidationError("There is no next credential to switch to.")
    if provider.next_tested_at is None:
        raise ValidationError("The next credential was not accepted yet: test it first.")
    try:
        provider.previous_credential = moved(provider.credential, from_place=provider.credential_place, to_place=provider.previous_place)
        provider.credential = moved(provider.next_credential, from_place=provider.next_place, to_place=provider.credential_place)
    except SealError:
        raise ValidationError(UNSEALABLE) from None
    provider.previous_set_at, provider.credential_set_at = provider.credential_set_at, provider.next_set_at
    _clear_next(provider)
    forget_health(provider)
    return _saved(actor, provider, "switch", credential=[_day(provider.previous_set_at), _day(provider.credential_set_at)])


@transaction.atomic
def roll_back_credential(*, actor: User | None, provider: Provider) -> Provider:
    """The previous credential and the one in use change places, so that this is undone by doing it again."""
    provider = locked(provider)
    if provider.previous_credential is None or provider.credential is None:
        raise ValidationError("There is no previous credential to go back to.")
    try:
        back = moved(provider.previous_credential, from_place=provider.previous_place, to_place=provider.credential_place)
        kept = moved(provider.credential, from_place=provider.credential_place, to_place=provider.previous_place)
    except SealError:
        raise ValidationError(UNSEALABLE) from None
    before = provider.credential_set_at
    provider.credential, provider.previous_credential = back, kept
    provider.credential_set_at, provider.previous_set_at = provider.previous_set_at, before
    forget_health(provider)
    return _saved(actor, provider, "roll_back", credential=[_day(before), _day(provider.credential_set_at)])


@transaction.atomic
def drop_previous_credential(*, actor: User | None, provider: Provider) -> Provider:
    """For when the vendor has revoked it: there is no way back afterwards."""
    provider = locked(provider)
    if provider.previous_set_at is None:
        return provider
    provider.previous_credential, provider.previous_set_at = None, None
    return _saved(actor, provider, "drop_previous", previous_credential=["set", None])


@transaction.atomic
def reseal_credentials(*, actor: User | None, row: Provider, dry: bool = False) -> Resealed:
    """Seals what is stored with the house's first sealing key, where another one sealed it."""
    provider = locked(row)
    places = {"credential": provider.credential_place, "next_credential": provider.next_place}
    found = seal_anew(sealer(), provider, {**places, "previous_credential": provider.previous_place})
    if found.done and not dry:
        provider.save(update_fields=list(found.done))
        trail.record(actor=actor, action="llmgateway.provider.reseal", target=provider, changes=found.changes)
    return found


def _clear_next(provider: Provider) -> None:
    provider.next_credential, provider.next_set_at, provider.next_tested_at = None, None, None


def _saved(actor: User | None, provider: Provider, step: str, **changes: list[Any]) -> Provider:
    provider.save()
    trail.record(actor=actor, action=f"llmgateway.provider.{step}_credential", target=provider, changes=changes)
    return provider


def _day(moment: datetime | None) -> str | None:
    """Which credential it was is told by when it was set: nothing else of it may be in the trail."""
    return None if moment is None else f"set {moment:%Y-%m-%d %H:%M}"
