"""Questions that are asked of the cache, and calls that are sent again."""

from __future__ import annotations

from typing import Any

import httpx

from tests.fakes.dialects import CHAT, Call
from tests.fakes.house import House
from tests.fakes.provider import Provider, said

CACHE = "x-customhouse-cache"
ALONE: dict[str, dict[str, Any]] = {"responses": {"store": False}}
"""What a call has to say beside to leave nothing at the provider."""


def ask(
    house: House, call: Call = CHAT, *, key: str | None = None, headers: dict[str, str] | None = None, **changes: Any
) -> httpx.Response:
    body = {**call.body, **ALONE.get(call.name, {}), **changes}
    return house.http.post(call.path, json=body, headers={**call.headers(key or house.key), **(headers or {})})


def numbered(provider: Provider) -> None:
    """Every answer is another one."""
    provider.fallback = lambda asked: said({**CHAT.answer, "id": f"chatcmpl-{len(provider.asked)}"})


KEY = "order-17"
REPLAYED = "idempotent-replayed"


def send(house: House, call: Call = CHAT, once: str = KEY, *, key: str | None = None, path: str = "", **changes: Any) -> httpx.Response:
    headers = {**call.headers(key or house.key), "idempotency-key": once}
    return house.http.post(path or call.path, json={**call.body, **changes}, headers=headers)
