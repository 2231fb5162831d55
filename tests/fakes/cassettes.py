"""The corpus of recorded exchanges with real providers, read from disk.

The folder is `CUSTOMHOUSE_CASSETTES`, or `../shared/cassettes` beside the repository. A file holds one exchange:
`provider`, `request` (path, query, body) and `response` (status, content_type, retry_after, and `body_json` or
`body_text`). The kind of an exchange is the second part of its file name: completions, responses, messages, …
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]


def folder() -> Path:
    named = os.environ.get("CUSTOMHOUSE_CASSETTES")
    return Path(named) if named else ROOT.parent / "shared" / "cassettes"


@dataclass(frozen=True)
class Cassette:
    """One recorded exchange. `answer` is the body as bytes: of a stream as recorded, of JSON in one spelling of it."""

    name: str
    provider: str
    kind: str
    path: str
    query: str
    body: dict[str, Any]
    status: int
    content_type: str
    retry_after: str | None
    answer: bytes

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def streamed(self) -> bool:
        return self.content_type.startswith("text/event-stream")

    def with_answer(self, answer: bytes) -> Cassette:
        return replace(self, answer=answer)

    @property
    def answer_headers(self) -> tuple[tuple[str, str], ...]:
        headers = (("content-type", self.content_type),)
        return headers if self.retry_after is None else (*headers, ("retry-after", self.retry_after))


def read(path: Path) -> Cassette:
    data = json.loads(path.read_text(encoding="utf-8"))
    request, response = data["request"], data["response"]
    if "body_text" in response:
        answer = response["body_text"].encode()
    else:
        answer = json.dumps(response["body_json"], ensure_ascii=False, indent=1).encode()
    return Cassette(
        name=path.stem,
        provider=data["provider"],
        kind=path.stem.removeprefix(data["provider"] + "-").split("-", 1)[0],
        path=urlsplit(request["path"]).path,
        query=request["query"],
        body=request["body"],
        status=response["status"],
        content_type=response["content_type"],
        retry_after=response["retry_after"],
        answer=answer,
    )


@cache
def corpus() -> tuple[Cassette, ...]:
    """Every recorded exchange, by name. Empty only when the folder is not there."""
    place = folder()
    if not place.is_dir():
        return ()
    found = tuple(read(path) for path in sorted(place.glob("*.json")))
    if not found:
        raise FileNotFoundError(f"no recorded exchange in {place}: set CUSTOMHOUSE_CASSETTES to the folder that holds them")
    return found


def select(providers: Iterable[str], kinds: Iterable[str]) -> list[Cassette]:
    wanted, of_kind = frozenset(providers), frozenset(kinds)
    return [cassette for cassette in corpus() if cassette.provider in wanted and cassette.kind in of_kind]


def cases(cassettes: Iterable[Cassette]) -> list[Any]:
    """Parameters for pytest, one per exchange; one skipped parameter that says why when there is no corpus."""
    found = [pytest.param(cassette, id=cassette.name) for cassette in cassettes]
    if found or folder().is_dir():
        return found
    reason = f"no recorded exchanges at {folder()}: set CUSTOMHOUSE_CASSETTES"
    return [pytest.param(None, id="no-corpus", marks=pytest.mark.skip(reason=reason))]
