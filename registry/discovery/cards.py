"""Fetches and reads agent cards, in the shapes of A2A 1.0 and 0.3.

Bytes are kept as sent; what is read out of them is a view. Sources: A2A 1.0 §5 and §8 (card and interfaces), 0.3 §5.5.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from adminkit import outbound
from dataplane.addresses import AddressRefused, check_url
from registry import canonical
from registry.discovery.rpc import failure
from registry.errors import DiscoveryError

WELL_KNOWN = ("/.well-known/agent-card.json", "/.well-known/agent.json")
MAX_CARD = 1024 * 1024
MAX_SECONDS = 15.0
MAX_SKILLS = 500


@dataclass(frozen=True, slots=True)
class DiscoveredCard:
    """`url` is the JSON-RPC interface, `protocol_version` what is spoken there (1.0 or 0.3).

    `parsed` holds name, description, version, provider, skills, capabilities, interfaces, modes and the names of the
    security schemes, whatever shape the card had."""

    card_url: str
    raw: bytes
    digest: str
    url: str
    protocol_version: str
    parsed: dict[str, Any]
    latency_ms: int

    @property
    def version(self) -> str:
        version = self.parsed["version"]
        return version if len(version) <= 48 and version.isascii() and version.isprintable() else ""


def discover_card(url: str, *, allow_private: bool = False, headers: dict[str, str] | None = None) -> DiscoveredCard:
    """`url` is an agent's base address, or its card's. Raises DiscoveryError."""
    candidates = (
        [url] if urlsplit(url).path.endswith(".json") else [urljoin(url.rstrip("/") + "/", path.lstrip("/")) for path in WELL_KNOWN]
    )
    deadline = time.monotonic() + MAX_SECONDS
    with outbound.client(allow_private=allow_private, total_seconds=MAX_SECONDS, max_body=MAX_CARD) as client:
        for candidate in candidates:
            started = time.monotonic()
            raw = _fetch(client, candidate, headers or {}, deadline)
            if raw is not None:
                return read_card(raw, card_url=candidate, latency_ms=round((time.monotonic() - started) * 1000))
    raise DiscoveryError(f"there is no agent card at {' or '.join(candidates)}")


def _fetch(client: httpx.Client, url: str, headers: dict[str, str], deadline: float) -> bytes | None:
    """None for a 404."""
    left = max(deadline - time.monotonic(), 0.1)
    chunks: list[bytes] = []
    try:
        with client.stream("GET", url, headers={**headers, "accept": "application/json"}, timeout=httpx.Timeout(left)) as response:
            if response.status_code == 404:
                return None
            if response.status_code != 200:
                raise DiscoveryError(f"its card can't be had: HTTP {response.status_code} at {url}")
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                if sum(map(len, chunks)) > MAX_CARD:
                    raise DiscoveryError("its card is larger than 1 MiB")
                if time.monotonic() > deadline:
                    raise DiscoveryError("it took too long to send its card")
    except httpx.HTTPError as error:
        raise failure(error) from None
    return b"".join(chunks)


def read_card(raw: bytes, *, card_url: str = "", latency_ms: int = 0) -> DiscoveredCard:
    """Raises DiscoveryError for what is no card, or names no JSON-RPC interface."""
    try:
        card = canonical.parse(raw)
    except canonical.NotCanonical as error:
        raise DiscoveryError(f"its card can't be used: {error}") from None
    if not isinstance(card, dict):
        raise DiscoveryError("its card is not a JSON object")
    name, version = card.get("name"), card.get("version")
    if not isinstance(name, str) or not name.strip():
        raise DiscoveryError("its card has no name")
    interfaces = _interfaces(card)
    chosen = next((one for one in interfaces if one["binding"] == "JSONRPC"), None)
    if chosen is None:
        raise DiscoveryError("its card names no JSON-RPC interface: supportedInterfaces needs one with protocolBinding JSONRPC")
    try:
        check_url(chosen["url"])
    except AddressRefused as refused:
        raise DiscoveryError(f"its card's interface {chosen['url']!r} can't be called: {refused}") from None
    parsed = {
        "name": name.strip()[:200],
        "description": _text(card, "description"),
        "version": version if isinstance(version, str) else "",
        "documentation_url": _text(card, "documentationUrl"),
        "provider": _text(_mapping(card.get("provider")), "organization"),
        "capabilities": _mapping(card.get("capabilities")),
        "interfaces": interfaces,
        "input_modes": _texts(card.get("defaultInputModes")),
        "output_modes": _texts(card.get("defaultOutputModes")),
        "skills": _skills(card.get("skills")),
        "security": sorted(_mapping(card.get("securitySchemes"))),
        "signed": bool(card.get("signatures")),
    }
    return DiscoveredCard(card_url, raw, canonical.digest(card), chosen["url"], chosen["version"], parsed, latency_ms)


def _interfaces(card: dict[str, Any]) -> list[dict[str, str]]:
    """1.0 lists `supportedInterfaces`; 0.3 has a main `url` with `preferredTransport`, and more beside it."""
    found = [
        {"url": _text(one, "url"), "binding": _text(one, "protocolBinding"), "version": _text(one, "protocolVersion")[:16] or "1.0"}
        for one in _mappings(card.get("supportedInterfaces"))
    ]
    if not found and _text(card, "url"):
        version = ".".join((_text(card, "protocolVersion") or "0.3").split(".")[:2])[:16]
        found.append({"url": _text(card, "url"), "binding": _text(card, "preferredTransport") or "JSONRPC", "version": version})
        found += [
            {"url": _text(one, "url"), "binding": _text(one, "transport"), "version": version}
            for one in _mappings(card.get("additionalInterfaces"))
        ]
    return [one for one in found if one["url"]]


def _skills(value: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": _text(one, "id"),
            "name": _text(one, "name"),
            "description": _text(one, "description"),
            "tags": _texts(one.get("tags")),
            "examples": _texts(one.get("examples")),
        }
        for one in _mappings(value)[:MAX_SKILLS]
    ]


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
