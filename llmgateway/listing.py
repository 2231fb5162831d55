"""The cheapest authenticated request of each dialect: listing models. Builds it; sends nothing.

`base_url` is what the data plane appends its endpoints to: for OpenAI-compatible vendors it ends where `/models`
begins; the others' version prefix is added unless it is written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit, urlunsplit

from llmgateway.choices import Dialect
from llmgateway.proxy.sigv4 import AccessKeys, signed_headers

ANTHROPIC_VERSION = "2023-06-01"
PAGE = 1000
"""The most that Anthropic, Gemini and Cohere give in one page."""

_BEDROCK_HOST = re.compile(r"bedrock-runtime(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)")


class UnusableCredential(ValueError):
    """The stored credential is not of a kind that this dialect takes. The message says what it takes, never what is stored."""


@dataclass(frozen=True, slots=True)
class Listing:
    url: str
    headers: dict[str, str] = field(repr=False)


def listing(
    *,
    dialect: str,
    base_url: str,
    credential: str | None,
    headers: Mapping[str, str],
    page_size: int = PAGE,
    following: Mapping[str, str] | None = None,
) -> Listing:
    """The GET that answers with the provider's models. Raises UnusableCredential."""
    sent = {"accept": "application/json", **headers}
    match Dialect(dialect):
        case Dialect.OPENAI:
            url, auth = f"{base_url}/models", {"authorization": f"Bearer {credential}"}
        case Dialect.ANTHROPIC:
            url, auth = (
                _query(_versioned(base_url, "v1", "models"), {"limit": page_size, **(following or {})}),
                {"x-api-key": f"{credential}"},
            )
            sent.setdefault("anthropic-version", ANTHROPIC_VERSION)
        case Dialect.GEMINI:
            url = _query(_versioned(base_url, "v1beta", "models"), {"pageSize": page_size, **(following or {})})
            auth = {"x-goog-api-key": f"{credential}"}
        case Dialect.COHERE:
            url = _query(_versioned(base_url, "v1", "models"), {"page_size": page_size, **(following or {})})
            auth = {"authorization": f"Bearer {credential}"}
        case Dialect.BEDROCK:
            return _bedrock(base_url, credential, sent)
    if credential is not None:
        sent |= auth
    return Listing(url, sent)


def _versioned(base_url: str, version: str, path: str) -> str:
    return f"{base_url}/{path}" if re.search(r"/v\d[a-z0-9]*$", base_url) else f"{base_url}/{version}/{path}"


def _query(url: str, values: Mapping[str, object]) -> str:
    return f"{url}?{urlencode(values)}"


def _bedrock(base_url: str, credential: str | None, sent: dict[str, str]) -> Listing:
    """Bedrock lists at its control host and calls at its runtime host; both take a Bedrock API key or signed requests."""
    parts = urlsplit(base_url)
    region, netloc = "us-east-1", parts.netloc
    if found := _BEDROCK_HOST.fullmatch(parts.hostname or ""):
        fips, region, domain = found.groups()
        netloc = f"bedrock{fips or ''}.{region}.{domain}"
    url = urlunsplit((parts.scheme, netloc, f"{parts.path}/foundation-models", "", ""))
    if credential is None:
        return Listing(url, sent)
    if not credential.startswith("{"):
        return Listing(url, {**sent, "authorization": f"Bearer {credential}"})
    signed = signed_headers("GET", url, keys=access_keys(credential), region=region, service="bedrock", at=datetime.now(UTC), headers=sent)
    return Listing(url, {name: value for name, value in signed.items() if name != "host"})


def access_keys(credential: str) -> AccessKeys:
    """AWS keys out of the stored JSON: access_key_id, secret_access_key, optionally session_token. Raises UnusableCredential."""
    try:
        stored = json.loads(credential)
        keys = AccessKeys(stored["access_key_id"], stored["secret_access_key"], stored.get("session_token"))
    except (ValueError, KeyError, TypeError, AttributeError):
        keys = AccessKeys("", "")
    if not keys.access_key_id or not keys.secret_access_key:
        raise UnusableCredential('Store a Bedrock API key, or {"access_key_id": "…", "secret_access_key": "…"}.')
    return keys
