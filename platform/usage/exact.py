"""Exact decimals on every database. SQLite has none: its NUMERIC turns into a float and its SUM adds floats.

There a value is stored as text and summed by an aggregate of ours in Python, the way Django itself adds STDDEV.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db.backends.signals import connection_created
from django.db.models import Aggregate, DecimalField

if TYPE_CHECKING:
    _Base = DecimalField[Any, Any]
else:
    _Base = DecimalField

_WIDE = Context(prec=76)
"""Room for 2^63 addends of the widest column."""


class ExactDecimalField(_Base):
    """NUMERIC on PostgreSQL, text on SQLite. Filter and order by it on PostgreSQL only; sum it with `ExactSum` only."""

    def get_internal_type(self) -> str:
        # Not "DecimalField": SQLite's backend converts those from float.
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str:
        if connection.vendor == "sqlite":
            return "text"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def cast_db_type(self, connection: Any) -> str:
        return self.db_type(connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if isinstance(value, float):
            raise FieldError("a float came out of a sum of exact decimals: use ExactSum")
        return None if value is None else Decimal(value)


class ExactSum(Aggregate):
    """SUM that stays exact. None over nothing, like SUM."""

    function = "SUM"
    name = "ExactSum"
    output_field = ExactDecimalField(max_digits=38, decimal_places=12)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="exact_sum", **extra)


class _SqliteSum:
    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: str | int | None) -> None:
        if value is not None:
            self._total = _WIDE.add(self._total or Decimal(0), Decimal(value))

    def finalize(self) -> str | None:
        return None if self._total is None else format(self._total, "f")


def _teach(sender: Any, connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("exact_sum", 1, _SqliteSum)


def connect() -> None:
    """Teaches every SQLite connection to sum."""
    connection_created.connect(_teach, dispatch_uid="usage.exact")
