"""Sealing what is stored once more, with the sealing key that is first now: the last step before an old key is taken away.

Every column of the house that holds a sealed value is named here. A row is written on its own, with one audit row, so that
it can be stopped at any moment and run again; what the first key sealed already is passed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit import trail
from dataplane.sealing import Sealer, SealError
from llmgateway.models import Provider
from registry.models import Agent, Server

COLUMNS: tuple[tuple[type[Any], dict[str, str]], ...] = (
    (
        Provider,
        {"credential": "credential_place", "next_credential": "next_place", "previous_credential": "previous_place"},
    ),
    (Server, {"credential": "credential_place"}),
    (Agent, {"credential": "credential_place"}),
)
"""By model: the columns that are sealed, and the attribute that names the place each is bound to."""

_MARK = 9
"""Bytes at the front of a sealed value that tell its version and its sealing key."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one stored row: `done` columns were sealed anew (or would be), `broken` ones do not open with any of
    the keys that are set."""

    name: str
    done: tuple[str, ...]
    broken: tuple[str, ...]


def stored_rows() -> int:
    """How many rows hold a sealed value."""
    return sum(len(_keys_of(model, columns)) for model, columns in COLUMNS)


def reseal(sealer: Sealer, *, dry: bool = False) -> Iterator[Row]:
    """Yields every row that holds a sealed value, when it is done."""
    for model, columns in COLUMNS:
        for pk in _keys_of(model, columns):
            if (found := _one(sealer, model, pk, columns, dry=dry)) is not None:
                yield found


@transaction.atomic
def _one(sealer: Sealer, model: type[Any], pk: Any, columns: dict[str, str], *, dry: bool) -> Row | None:
    row = model._base_manager.select_for_update(of=("self",)).filter(pk=pk).first()
    return None if row is None else _resealed(sealer, row, columns, dry=dry)


def _keys_of(model: type[Any], columns: dict[str, str]) -> list[Any]:
    first, *rest = (model._base_manager.exclude(**{name: None}).values("pk") for name in columns)
    return sorted({row["pk"] for found in (first, *rest) for row in found})


def _resealed(sealer: Sealer, row: Any, columns: dict[str, str], *, dry: bool) -> Row:
    current = sealer.seal("", bound_to="")[:_MARK]
    done, broken = [], []
    for name, place in columns.items():
        sealed = getattr(row, name)
        if sealed is None or bytes(sealed)[:_MARK] == current:
            continue
        try:
            secret = sealer.open(bytes(sealed), bound_to=getattr(row, place))
        except SealError:
            broken.append(name)
            continue
        setattr(row, name, sealer.seal(secret, bound_to=getattr(row, place)))
        done.append(name)
    if done and not dry:
        row.save(update_fields=done)
        label = row._meta.label_lower
        extra = {"resource": row.resource_ref} if hasattr(row, "resource_ref") else {}
        changes: dict[str, list[Any]] = {name: ["sealed", "sealed anew"] for name in done}
        trail.record(actor=None, action=f"{label}.reseal", target=row, changes=changes, extra=extra)
    return Row(f"{row._meta.verbose_name} {row}", tuple(done), tuple(broken))
