"""Sealing of what servers and agents are called with. Opened only to look at them; calls open it in the data plane."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from dataplane.sealing import Sealer, SealError
from registry.errors import DiscoveryError
from registry.models.item import Called

MAX_CREDENTIAL = 16 * 1024
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@lru_cache(maxsize=4)
def _sealer_of(*keys: bytes) -> Sealer:
    return Sealer(*keys)


def sealer() -> Sealer:
    return _sealer_of(*settings.CUSTOMHOUSE.seal_keys)


def clean_secret(secret: str, *, header: str) -> str:
    """The value of the credential's header; a bare token for `authorization` becomes a bearer token.

    The message never repeats it. Raises ValidationError.
    """
    secret = secret.strip()
    if header.lower() == "authorization" and " " not in secret and secret:
        secret = f"Bearer {secret}"
    if not _VALUE.fullmatch(secret) or len(secret) > MAX_CREDENTIAL:
        raise ValidationError({"credential": "Write the header's value, e.g. “Bearer …”: one line of printable ASCII."})
    return secret


def seal(item: Called, secret: str) -> bytes:
    """`item` must be saved: the sealed value is bound to its primary key."""
    return sealer().seal(secret, bound_to=item.credential_place)


def headers_for(item: Any) -> dict[str, str]:
    """The header that a call of this server or agent carries; none without a credential. Raises DiscoveryError."""
    if item.credential is None:
        return {}
    try:
        return {item.credential_header: sealer().open(bytes(item.credential), bound_to=item.credential_place)}
    except SealError:
        raise DiscoveryError("its credential can't be opened with the house's sealing key: set it again") from None
