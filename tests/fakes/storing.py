"""A vendor that stores things, and the people who store them there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.fakes.house import House
from tests.fakes.provider import Asked, Provider, Reply, said


@dataclass
class Vendor:
    """Gives out an id for each thing that is made, and answers every other request with what was asked of it. What it should
    say instead is laid out by `METHOD path`."""

    provider: Provider
    replies: dict[str, Reply] = field(default_factory=dict)
    made: int = 0

    PREFIXES = {"conversations": "conv", "vector_stores": "vs", "files": "file", "batches": "batch"}

    def __call__(self, asked: Asked) -> Reply:
        place = asked.path.removeprefix("/v1/")
        laid_out = self.replies.get(f"{asked.method} /{place}")
        if laid_out is not None:
            return laid_out
        if asked.method == "POST" and place in self.PREFIXES:
            self.made += 1
            return said({"id": f"{self.PREFIXES[place]}_{self.made}", "object": place, "odd": "Ü"})
        return said({"asked": f"{asked.method} /{place}", "query": asked.query, "id": "ignored"})

    def answers(self, request: str, body: Any, **more: Any) -> None:
        self.replies[request] = body if isinstance(body, Reply) else said(body, **more)

    @property
    def asked(self) -> list[str]:
        return [f"{asked.method} {asked.path.removeprefix('/v1')}" for asked in self.provider.asked]


def lay_out(house: House, url: str) -> None:
    """One account, two models of it for the team, one that nobody is granted, and one that strangers have as well."""
    contents = house.contents
    contents.provider("openai", f"{url}/v1")
    for name in ("gpt", "small"):
        contents.grant(f"team:{house.team}", contents.model(name, contents.deployment("openai", f"{name}-real")))
    contents.model("hidden", contents.deployment("openai", "hidden-real"))
    house.publish()


@dataclass
class Person:
    house: House
    key: str

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        return self.house.http.request(method, path, headers=headers, **more)

    def upload(self, content: bytes, *, purpose: str = "user_data", headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        files = {"file": ("lines.jsonl", content, "application/jsonl")}
        return self.ask("POST", "/v1/files", data={"purpose": purpose, **fields}, files=files, headers=headers or {})


def line(model: str = "gpt", *, number: int = 1, url: str = "/v1/chat/completions", **body: Any) -> bytes:
    """A line of a batch."""
    call = {"model": model, "messages": [{"role": "user", "content": "Hello."}], **body}
    return json.dumps({"custom_id": f"call-{number}", "method": "POST", "url": url, "body": call}).encode()
