"""What servers and agents have in common as entries: a sealed credential, and versions of which the newest counts."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from registry.credentials import clean_secret, headers_for
from registry.errors import DiscoveryError


def credential_headers(header: str, secret: str | None) -> dict[str, str]:
    """The header that a call carries. Raises ValidationError for a secret that no header can hold."""
    return {header.lower(): clean_secret(secret, header=header)} if secret else {}


def credential_matches(item: Any, secret: str) -> bool:
    """Whether the stored credential is this one; one that can't be opened is not."""
    try:
        stored = headers_for(item).get(item.credential_header)
    except DiscoveryError:
        return False
    return stored is not None and compare_digest(stored.encode(), secret.strip().encode())


def newest(item: Any) -> Any:
    """The version that was proposed last, None for an item without any."""
    return item.versions.order_by("-id").first()
