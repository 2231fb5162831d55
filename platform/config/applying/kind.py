"""What a kind of entry has to know to be applied and exported. One small module per kind, in `kinds/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from config.applying.document import Path as Place
from config.applying.reading import Stated
from config.applying.shape import Shape
from identity.models import Team, User

E = TypeVar("E", bound=Shape)


@dataclass(slots=True)
class Run:
    """One application of one file. `actor` None is the system. `base` is the folder that relative paths start from.

    `secrets` are those that the file names, by section, name and field. `made` are keys that nobody chose: (name, text),
    shown once. `prune` takes away what is not named. `after` is left to do, per entry's name, when its section is done.
    `found` is what upstreams said of themselves, by section and name; `sources` where a skill's files are."""

    actor: User | None
    base: Path
    prune: bool = False
    dry: bool = False
    secrets: dict[tuple[str, str, str], str] = field(default_factory=dict)
    made: list[tuple[str, str]] = field(default_factory=list)
    after: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    found: dict[tuple[str, str], Any] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry's mention of another: `place` inside the entry, the sections that it may be in, and its name."""

    place: Place
    sections: tuple[str, ...]
    name: str


class Kind(Generic[E]):
    """`stored` is the exporter: what the database holds in the shape of the file. Applying is comparing with it and
    calling the app's actions for what differs, so the two can't drift apart."""

    section: ClassVar[str]
    word: ClassVar[str]
    secret_fields: ClassVar[tuple[str, ...]] = ()

    def name_of(self, entry: E) -> str:
        name: str = getattr(entry, "name", "") or getattr(entry, "slug", "")
        return name

    def expand(self, stated: Stated, run: Run) -> list[Stated]:
        """The entries that one written entry stands for. Raises ValidationError."""
        return [stated]

    def references(self, entry: E) -> Iterator[Reference]:
        yield from ()

    def stored(self) -> dict[str, E]:
        raise NotImplementedError

    def settled(self, entry: E, before: E | None, run: Run) -> E:
        """The entry with what it leaves to the house filled in."""
        return entry

    def secret_matches(self, entry: E, field_name: str, secret: str) -> bool:
        """Whether what is stored is this secret; only asked for an entry that is stored."""
        raise NotImplementedError

    def prepare(self, entry: E, before: E | None, run: Run) -> None:
        """Slow work that needs no transaction: asking an upstream."""

    def create(self, entry: E, run: Run) -> None:
        raise NotImplementedError

    def update(self, entry: E, before: E, changed: frozenset[str], run: Run) -> None:
        raise NotImplementedError

    def release(self, names: list[str], run: Run) -> None:
        """Before these are removed: whatever ties them to each other."""

    def remove(self, name: str, before: E, run: Run) -> None:
        raise NotImplementedError


def differences(before: Shape, after: Shape, *, without: tuple[str, ...] = ()) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, as (old, new) in plain values."""
    found = {}
    for name in after.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if name not in without and old != new:
            found[name] = (as_stated(old), as_stated(new))
    return found


def as_stated(value: Any) -> Any:
    """A part of the file in plain values, without what is default. msgspec's own `omit_defaults` goes by identity."""
    if isinstance(value, msgspec.Struct):
        stated = {}
        for named in msgspec.structs.fields(value):
            default = named.default if named.default_factory is msgspec.NODEFAULT else named.default_factory()
            if (held := getattr(value, named.name)) != default:
                stated[named.name] = as_stated(held)
        return stated
    if isinstance(value, list):
        return [as_stated(item) for item in value]
    return value


def named_team(name: str | None) -> Team | None:
    return None if name is None else Team.objects.get(name=name)


def plain(amount: Decimal | str) -> str:
    """A decimal without trailing zeros, so that "0.150" and "0.15" are the same."""
    text = format(Decimal(amount), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
