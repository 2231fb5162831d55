"""Keys that a page of the house makes for the person who looks at it, to call the gateways as that person.

Such a key carries what its owner was granted, their budgets and limits, and nothing more: it lives for minutes, does not
open the management API, and ends when the page is left or asks for another one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from identity import keytext
from identity.actions.keys import issue_key, revoke_key
from identity.models import APIKey, User

LIFETIME = timedelta(minutes=15)


@transaction.atomic
def issue_page_key(*, actor: User, purpose: APIKey.Purpose) -> tuple[APIKey, str]:
    """A key of the actor's own and its text. The one that a page of this purpose had before ends now."""
    end_page_keys(actor=actor, purpose=purpose, reason="its page was opened anew")
    text = keytext.generate()
    name = f"{purpose.value} {keytext.prefix_of(text)}"
    return issue_key(actor=actor, owner=actor, name=name, secret=text, purpose=purpose.value, expires_at=timezone.now() + LIFETIME)


@transaction.atomic
def end_page_keys(*, actor: User, purpose: APIKey.Purpose, prefix: str = "", reason: str = "its page was left") -> int:
    """Revokes the actor's keys of this purpose, or only the one with these public characters. Returns how many ended."""
    keys = _running(actor, purpose, timezone.now())
    found = list(keys.filter(prefix=prefix) if prefix else keys)
    for key in found:
        revoke_key(actor=actor, key=key, reason=reason)
    return len(found)


def _running(owner: User, purpose: APIKey.Purpose, now: datetime) -> QuerySet[APIKey]:
    return APIKey.objects.filter(owner=owner, purpose=purpose.value, revoked_at__isnull=True, expires_at__gt=now).select_related("owner")
