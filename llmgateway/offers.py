"""Reading what a provider says it offers: the answers of the vendors' list-models endpoints, one reader per dialect.

Sources: the vendors' API references (OpenAI and compatible `GET /models`, Anthropic `GET /v1/models`, Gemini
`models.list`, Vertex `publishers.models.list`, Bedrock `ListFoundationModels`, Cohere `GET /v1/models`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from llmgateway.choices import Dialect

_NAME = re.compile(r"[\x21-\x7e]{1,200}")


class NotAModelList(ValueError):
    """The answer is JSON, but not the list that this dialect's endpoint gives."""


@dataclass(frozen=True, slots=True)
class Page:
    """Names in the provider's order, and the query parameters that ask for what follows (empty: nothing does)."""

    names: tuple[str, ...]
    following: dict[str, str]


def read_page(dialect: str, answer: Any) -> Page:
    """Raises NotAModelList."""
    try:
        return _READERS[Dialect(dialect)](answer)
    except (KeyError, TypeError, AttributeError):
        raise NotAModelList from None


def _openai(answer: Any) -> Page:
    # Together answers with the bare list.
    entries = answer if isinstance(answer, list) else answer["data"]
    return Page(_names(entry["id"] for entry in _listed(entries)), {})


def _anthropic(answer: Any) -> Page:
    following = {"after_id": str(answer["last_id"])} if answer.get("has_more") and answer.get("last_id") else {}
    return Page(_names(entry["id"] for entry in _listed(answer["data"])), following)


def _gemini(answer: Any) -> Page:
    following = {"pageToken": str(answer["nextPageToken"])} if answer.get("nextPageToken") else {}
    # An account with nothing to offer gets {} from Google's APIs. Vertex has a word of its own for the list.
    entries = _listed(answer.get("publisherModels", answer.get("models", [])))
    return Page(_names(entry["name"].removeprefix("publishers/google/").removeprefix("models/") for entry in entries), following)


def _bedrock(answer: Any) -> Page:
    return Page(_names(entry["modelId"] for entry in _listed(answer["modelSummaries"])), {})


def _cohere(answer: Any) -> Page:
    following = {"page_token": str(answer["next_page_token"])} if answer.get("next_page_token") else {}
    return Page(_names(entry["name"] for entry in _listed(answer["models"])), following)


def _listed(entries: Any) -> list[Any]:
    if not isinstance(entries, list):
        raise TypeError("not a list")
    return entries


def _names(found: Iterable[Any]) -> tuple[str, ...]:
    """Each name once; what could not be a model's name is left out: it comes from outside and goes into pages and URLs."""
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and _NAME.fullmatch(name)))


_READERS: dict[Dialect, Callable[[Any], Page]] = {
    Dialect.OPENAI: _openai,
    Dialect.ANTHROPIC: _anthropic,
    Dialect.GEMINI: _gemini,
    Dialect.BEDROCK: _bedrock,
    Dialect.COHERE: _cohere,
}
