"""Calls of Google's addresses, made by hand: a model `gem` at the one fake provider, and what that answers."""

from __future__ import annotations

from typing import Any

import httpx

from tests.fakes.contents import PRICE
from tests.fakes.house import House

BODY: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}
USAGE = {"promptTokenCount": 20, "candidatesTokenCount": 6, "totalTokenCount": 26}


def gemini_answer(text: str = "Hello.", **usage: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage or USAGE, "modelVersion": "gem-real"}


def with_gemini(house: House, provider_url: str, *, price: Any = PRICE) -> None:
    contents = house.contents
    contents.provider("google", provider_url, dialect="gemini")
    contents.grant(f"team:{house.team}", contents.model("gem", contents.deployment("google", "gem-real", price=price)))
    house.publish()


def ask_gemini(house: House, method: str = "generateContent", *, query: str = "", **changes: Any) -> httpx.Response:
    return house.http.post(f"/v1beta/models/gem:{method}{query}", json={**BODY, **changes}, headers={"x-goog-api-key": house.key})
