"""Reads decoded JSON by type. What nobody took of an object can be asked for, so that nothing is lost in silence.

The same readers serve requests and answers: they differ in the error (`bad` raises BadRequest that names the field,
`broken` raises Unreadable) and in where the members go that have no slot (`Rest`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Unreadable

Fail = Callable[[str, str], Exception]
"""(path, what was expected there) → the error to raise."""


def bad(path: str, expected: str) -> Exception:
    return BadRequest(f"The field {path} must be {expected}.", param=path, code="invalid_type")


def broken(path: str, expected: str) -> Exception:
    return Unreadable(f"{path} is not {expected}")


class Rest(NamedTuple):
    """Where members without a slot go, by path: `extra` changes what is asked, `hints` does not."""

    extra: dict[str, Json]
    hints: dict[str, Json]


class Members:
    """The members of one JSON object. A member that is null was not said."""

    __slots__ = ("_fail", "_left", "path")

    def __init__(self, value: Json, path: str, fail: Fail) -> None:
        if not isinstance(value, dict):
            raise fail(path or "the body", "an object")
        self.path = path
        self._fail = fail
        self._left: dict[str, Any] = {str(name): member for name, member in value.items() if member is not None}

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Json:
        return self._left.pop(name, None)

    def _typed(self, name: str, kind: type | tuple[type, ...], expected: str) -> Any:
        value = self._left.pop(name, None)
        if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise self._fail(self.at(name), expected)
        return value

    def text(self, name: str) -> str:
        """ "" where it was not said."""
        return self._typed(name, str, "a string") or ""

    def needed(self, name: str) -> str:
        value = self._typed(name, str, "a string")
        if value is None:
            raise self._fail(self.at(name), "a string")
        return str(value)

    def flag(self, name: str) -> bool | None:
        value: bool | None = self._typed(name, bool, "true or false")
        return value

    def whole(self, name: str) -> int | None:
        value: int | None = self._typed(name, int, "a whole number")
        return value

    def number(self, name: str) -> float | None:
        value: float | None = self._typed(name, (int, float), "a number")
        return value

    def items(self, name: str) -> list[Json]:
        return self._typed(name, list, "an array") or []

    def texts(self, name: str) -> list[str]:
        values = self.items(name)
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise self._fail(f"{self.at(name)}[{number}]", "a string")
        return values

    def object(self, name: str) -> dict[str, Json] | None:
        value: dict[str, Json] | None = self._typed(name, dict, "an object")
        return value

    def members(self, name: str) -> Members | None:
        value = self.object(name)
        return None if value is None else Members(value, self.at(name), self._fail)

    def hint(self, rest: Rest, *names: str) -> None:
        """Moves these members to the hints."""
        for name in names:
            value = self.take(name)
            if value is not None:
                rest.hints[self.at(name)] = value

    def leave(self, into: dict[str, Json]) -> None:
        """Moves what nobody took."""
        for name, value in self._left.items():
            into[self.at(name)] = value
        self._left = {}
