"""Sealing what is stored once more, with the sealing key that is first now: the last step before an old key is taken away.

Every kind of row that holds a sealed value is named here. Each is written on its own, by its app's action and with an audit
row, so that it can be stopped at any moment and run again; what the first key sealed already is passed by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from adminkit.sealed import Resealed
from llmgateway import actions as llmgateway
from llmgateway.models import Provider
from registry import actions as registry
from registry.models import Agent, Server


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of a model that are sealed in any of `columns`, and the action that seals one anew."""

    model: type[Any]
    columns: tuple[str, ...]
    reseal: Callable[..., Resealed]

    def primary_keys(self) -> list[Any]:
        holding = reduce(or_, (Q(**{f"{name}__isnull": False}) for name in self.columns))
        return list(self.model._base_manager.filter(holding).order_by("pk").values_list("pk", flat=True))


KINDS = (
    Kind(Provider, ("credential", "next_credential", "previous_credential"), llmgateway.reseal_credentials),
    Kind(Server, ("credential",), registry.reseal_credential),
    Kind(Agent, ("credential",), registry.reseal_credential),
)


def stored_rows() -> int:
    """How many rows hold a sealed value."""
    return sum(len(kind.primary_keys()) for kind in KINDS)


def reseal(*, dry: bool = False) -> Iterator[tuple[str, Resealed]]:
    """Yields every row that holds a sealed value, by name, when it is done; `dry` tells what would be done."""
    for kind in KINDS:
        for pk in kind.primary_keys():
            row = kind.model._base_manager.filter(pk=pk).first()
            if row is not None:
                yield f"{row._meta.verbose_name} {row}", kind.reseal(actor=None, row=row, dry=dry)
