"""AWS request signatures for the data plane (Bedrock, where the customer has access keys and no Bedrock API key)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from llmgateway.proxy.sigv4 import AccessKeys, signed_headers

_REGION = re.compile(r"\.([a-z]{2,4}(?:-[a-z]+)+-\d)\.")
DEFAULT_REGION = "us-east-1"


class _Keys(msgspec.Struct):
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    region: str = ""


def aws_signer(secret: str, base_url: str) -> Callable[[str, str, bytes], list[tuple[str, str]]]:
    """Signs one request: method, URL, body. The region is that of the host, or `region` of the stored keys where the host (a
    private endpoint) does not tell it. Raises ValueError for what are no AWS keys."""
    try:
        stored = msgspec.json.decode(secret, type=_Keys)
    except msgspec.MsgspecError:
        raise ValueError('Store a Bedrock API key, or {"access_key_id": "…", "secret_access_key": "…"}.') from None
    keys = AccessKeys(stored.access_key_id, stored.secret_access_key, stored.session_token)
    found = _REGION.search(urlsplit(base_url).netloc)
    region = stored.region or (found.group(1) if found else DEFAULT_REGION)

    def sign(method: str, url: str, body: bytes) -> list[tuple[str, str]]:
        signed = signed_headers(method, url, keys=keys, region=region, service="bedrock", at=datetime.now(UTC), body=body)
        return [(name, value) for name, value in signed.items() if name != "host"]

    return sign
