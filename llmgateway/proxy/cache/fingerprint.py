"""What a model is at this moment. Any change of it, of what it falls back to or of where that is called makes another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from dataplane.snapshot import ModelRecord, ProviderRecord

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def fingerprint(models: Iterable[ModelRecord], providers: Mapping[int, ProviderRecord]) -> bytes:
    """Over the records of a model and its fallbacks, in order, and of their providers but for the credentials: a new one of
    the same account changes no answer."""
    digest = sha256()
    for record in models:
        _add(digest, record)
        for deployment in record.deployments:
            if (provider := providers.get(deployment.provider)) is not None:
                _add(digest, (provider.id, provider.dialect, provider.base_url, provider.headers, provider.vendor))
    return digest.digest()


def _add(digest: object, value: object) -> None:
    data = _encode(value)
    digest.update(b"%d:" % len(data) + data)  # type: ignore[attr-defined]  # hashlib names no public type
