"""The cheapest authenticated request of each dialect: listing models. Builds it; sends nothing.

`base_url` is what the data plane appends its endpoints to: for OpenAI-compatible vendors it ends where `/models`
begins; the others' version prefix is added unless it is written out. How the credential is sent is a fact of the vendor
(`llmgateway.proxy.providers`), the same one that the data plane goes by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit, urlunsplit

from llmgateway.choices import Dialect
from llmgateway.proxy.providers import Facts
from llmgateway.proxy.sigv4 import AccessKeys, signed_headers

ANTHROPIC_VERSION = "2023-06-01"
PAGE = 1000
"""The most that Anthropic, Gemini and Cohere give in one page."""

_BEDROCK_HOST = re.compile(r"bedrock-runtime(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws)")


class UnusableCredential(ValueError):
    """The stored credential is not of a kind that this vendor takes. The message says what it takes, never what is stored."""


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
    facts: Facts,
    token: str = "",
    page_size: int = PAGE,
    following: Mapping[str, str] | None = None,
) -> Listing:
    """The GET that answers with the provider's models. `token` is what a service account's key was exchanged for. Raises
    UnusableCredential."""
    sent = {"accept": "application/json", **headers}
    more = following or {}
    match Dialect(dialect):
        case Dialect.OPENAI:
            url = f"{base_url}/models"
        case Dialect.ANTHROPIC:
            url = _query(_versioned(base_url, "v1", "models"), {"limit": page_size, **more})
            sent.setdefault("anthropic-version", ANTHROPIC_VERSION)
        case Dialect.GEMINI if facts.auth == "google":
            url = _query(_publisher(base_url), {"pageSize": page_size, **more})
        case Dialect.GEMINI:
            url = _query(_versioned(base_url, "v1beta", "models"), {"pageSize": page_size, **more})
        case Dialect.COHERE:
            url = _query(_versioned(base_url, "v1", "models"), {"page_size": page_size, **more})
        case Dialect.BEDROCK:
            return _bedrock(base_url, credential, sent)
    return Listing(url, sent | _proof(credential, facts, token))


def _proof(credential: str | None, facts: Facts, token: str) -> dict[str, str]:
    if credential is None:
        return {}
    if is_object(credential):
        if facts.auth != "google":
            raise UnusableCredential("It is a JSON object: this vendor takes an API key.")
        return {"authorization": f"Bearer {token}"}
    match facts.auth:
        case "bearer":
            return {"authorization": f"Bearer {credential}"}
        case "google":
            return {"x-goog-api-key": credential}
        case header:
            return {header: credential}


def is_object(credential: str) -> bool:
    """Keys of cloud accounts are stored as the JSON object that the vendor hands out."""
    return credential.startswith("{")


def _publisher(base_url: str) -> str:
    """Vertex lists what Google publishes beside the projects, not in one: there is only a beta version of that."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc, "/v1beta1/publishers/google/models", "", ""))


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
    if not is_object(credential):
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
