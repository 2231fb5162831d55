"""Authentication of the management API by an API key, in any of the headers that the gateways take.

Answers 401 for a key that is unknown, revoked, expired or whose owner is not active, all alike. Whether the owner may
use the management API at all (staff) is a permission, and answers 403.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from dataplane.principal import presented_key
from identity import keytext
from identity.actions import mark_keys_used
from identity.models import APIKey, User

USE_IS_NOTED_EVERY = timedelta(minutes=5)

_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


class KeyAuthentication(BaseAuthentication):
    """`request.user` is the key's owner, `request.auth` the key. No key at all is left to the session."""

    def authenticate(self, request: Request) -> tuple[User, APIKey] | None:
        headers = {name.encode(): request.headers[name].encode("utf-8", "surrogateescape") for name in _HEADERS if name in request.headers}
        presented = presented_key(headers)
        if not presented:
            return None
        key = _active_key(presented)
        if key is None:
            raise AuthenticationFailed("The API key is not valid: it is unknown, revoked or expired.")
        now = timezone.now()
        if key.last_used_at is None or now - key.last_used_at > USE_IS_NOTED_EVERY:
            mark_keys_used({key.pk: now})
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="customhouse"'


def _active_key(presented: bytes) -> APIKey | None:
    """Found by its keyed digest: the look-up's timing says nothing about a key's text."""
    try:
        digest = keytext.digest_of(presented.decode("ascii"))
    except UnicodeDecodeError:
        return None
    key: Any = APIKey.objects.select_related("owner__team").filter(digest=digest).first()
    if key is None or key.purpose or key.state in ("revoked", "expired") or not key.owner.is_active:
        return None  # a page's key is for the gateways: found in a browser, it must not open the house
    return key  # type: ignore[no-any-return]
