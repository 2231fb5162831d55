"""Sealing and opening of provider credentials. Only the probe, the idempotence check
of config files and the rotation open one."""

from __future__ import annotations

from functools import lru_cache
from hmac import compare_digest

from django.conf import settings

from dataplane.sealing import Sealer, SealError
from llmgateway.models import Provider


@lru_cache(maxsize=4)
def _sealer_of(*keys: bytes) -> Sealer:
    return Sealer(*keys)


def sealer() -> Sealer:
    """The house's sealer, from the environment's sealing keys."""
    return _sealer_of(*settings.CUSTOMHOUSE.seal_keys)


def seal(provider: Provider, secret: str) -> bytes:
    """`provider` must be saved: the sealed value is bound to its primary key."""
    return sealer().seal(secret, bound_to=provider.credential_place)


def open_credential(provider: Provider) -> str | None:
    """The credential in clear, None when there is none. Raises SealError."""
    if provider.credential is None:
        return None
    return sealer().open(bytes(provider.credential), bound_to=provider.credential_place)


def open_next(provider: Provider) -> str | None:
    """The credential that waits to be used, None when there is none. Raises SealError."""
    if provider.next_credential is None:
        return None
    return sealer().open(bytes(provider.next_credential), bound_to=provider.next_place)


def moved(sealed: bytes | memoryview[int], *, from_place: str, to_place: str) -> bytes:
    """The same secret, sealed for another column. Raises SealError."""
    return sealer().seal(sealer().open(bytes(sealed), bound_to=from_place), bound_to=to_place)


def credential_matches(provider: Provider, secret: str | None) -> bool:
    """Whether `secret` is the stored credential, so that applying the same file twice changes nothing."""
    try:
        stored = open_credential(provider)
    except SealError:
        return False
    if stored is None or secret is None:
        return stored is None and secret is None
    return compare_digest(stored.encode(), secret.strip().encode())
