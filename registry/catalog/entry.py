"""The shape of an entry, and where entries come from that the registry does not keep itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Way:
    """A text to copy. `label` is the client; `where` names the file that the text goes into, "" for a shell; `note` is a
    sentence about it; `group` gathers clients of a kind."""

    label: str
    text: str
    where: str = ""
    note: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in the catalog, as one person may see it.

    `name` is unique within its kind and makes the address /catalog/<kind>/<name>; it may hold slashes. `summary` is one
    plain line, `description` Markdown, `words` what else a search should find. `target` is the row that grants are
    given on, with a permission `use_<kind>`. `facts` are shown on its page as label and value. `ways(base_url)` tells how
    it is used, where its source knows that better than the registry; `try_at` is a page of the house where it can be tried.
    """

    kind: str
    name: str
    title: str
    ref: str
    target: Any
    summary: str = ""
    description: str = ""
    words: str = ""
    state: str = "live"
    team: str = ""
    discoverable: bool = False
    updated_at: datetime | None = None
    facts: tuple[tuple[str, str], ...] = ()
    ways: Callable[[str], Sequence[Way]] | None = None
    try_at: str = ""


Source = Callable[[Any], Iterable[Entry]]
"""Takes a user and gives the entries that this user may see, because they are granted, owned or discoverable."""

_sources: dict[str, Source] = {}


def register_source(source: Source) -> None:
    """Adds a source; registering the same function again changes nothing."""
    _sources[f"{source.__module__}.{source.__qualname__}"] = source


def sources() -> tuple[Source, ...]:
    return tuple(_sources.values())
