"""Sealing the columns of one row once more, for the actions of apps that keep sealed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from dataplane.sealing import Sealer, SealError

_MARK = 9
"""Bytes at the front of a sealed value that tell its version and its sealing key."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """`done` columns hold a value that the sealer's first key sealed; `broken` ones do not open with any key that is set."""

    done: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def changes(self) -> dict[str, list[Any]]:
        """As the audit trail takes them."""
        return {name: ["sealed", "sealed anew"] for name in self.done}


def seal_anew(sealer: Sealer, row: Model, columns: Mapping[str, str]) -> Resealed:
    """`columns` gives for each sealed column the place that it is bound to. Sets them on the row and saves nothing; what the
    first key sealed already stays as it is."""
    current = sealer.seal("", bound_to="")[:_MARK]
    done, broken = [], []
    for name, place in columns.items():
        sealed = getattr(row, name)
        if sealed is None or bytes(sealed)[:_MARK] == current:
            continue
        try:
            setattr(row, name, sealer.seal(sealer.open(bytes(sealed), bound_to=place), bound_to=place))
        except SealError:
            broken.append(name)
        else:
            done.append(name)
    return Resealed(tuple(done), tuple(broken))
