"""What the actions share: applying checked values to a row and stating a row's public fields for the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


def public_fields(row: models.Model, names: Iterable[str]) -> dict[str, Any]:
    """The named fields as JSON can hold them: decimals and related rows as text."""
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value) if isinstance(value, models.Model) else value


def assign(row: models.Model, values: Mapping[str, Any], *, allowed: Iterable[str]) -> None:
    """Sets fields by name. An unknown name is a mistake of the caller's file or request, so it is refused by name."""
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        raise ValidationError({name: f"Unknown field; expected one of {', '.join(sorted(allowed))}." for name in unknown})
    for name, value in values.items():
        setattr(row, name, value)


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Puts the field's name on a ValidationError that has none."""
    try:
        yield
    except ValidationError as error:
        if hasattr(error, "error_dict"):
            raise
        raise ValidationError({field: error.messages}) from None


@contextmanager
def collecting(problems: dict[str, list[str]], field: str = "") -> Iterator[None]:
    """Notes a ValidationError instead of raising it, so that one answer names everything that is wrong."""
    try:
        yield
    except ValidationError as error:
        found = error.message_dict if hasattr(error, "error_dict") else {field: error.messages}
        for name, messages in found.items():
            problems.setdefault(name, []).extend(messages)
