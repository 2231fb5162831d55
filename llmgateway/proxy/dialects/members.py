"""One JSON object as a dialect reads it: members by name and type, and what nobody has asked for at the end.

A member that is null was not said. Whoever reads chooses what a wrong type is: a caller's mistake (`refused`) or an answer
that is not of its dialect (`unreadable`).
"""

from __future__ import annotations

from collections.abc import Callable

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Unreadable

Wrong = Callable[[str, str], Exception]
"""Makes the error for a path and what should have stood there."""


def refused(path: str, expected: str) -> BadRequest:
    named = f"The field {path}" if path else "The body"
    return BadRequest(f"{named} must be {expected}.", param=path or None, code="invalid_type")


def unreadable(path: str, expected: str) -> Unreadable:
    return Unreadable(f"{path or 'the answer'} is not {expected}")


class Members:
    """The members of the object that stands at the path `at` ("" is the body itself). Every getter takes its member, so
    that `left` is what has no reader. Raises what `wrong` makes."""

    __slots__ = ("_left", "at", "wrong")

    def __init__(self, value: Json, at: str, wrong: Wrong) -> None:
        if type(value) is not dict:
            raise wrong(at, "an object")
        self._left: dict[str, Json] = dict(value)
        self.at = at
        self.wrong = wrong

    def __contains__(self, name: str) -> bool:
        return self._left.get(name) is not None

    @property
    def names(self) -> list[str]:
        """Of the members that nobody has taken yet and that are not null."""
        return [name for name, value in self._left.items() if value is not None]

    def path(self, name: str) -> str:
        return f"{self.at}.{name}" if self.at else name

    def take(self, name: str) -> Json:
        return self._left.pop(name, None)

    def _typed(self, name: str, types: tuple[type, ...], expected: str) -> Json:
        value = self.take(name)
        if value is not None and type(value) not in types:
            raise self.wrong(self.path(name), expected)
        return value

    def text(self, name: str) -> str:
        """ "" where it was not said."""
        return self._typed(name, (str,), "a string") or ""

    def needed_text(self, name: str) -> str:
        if name not in self:
            raise self.wrong(self.path(name), "a string")
        return self.text(name)

    def integer(self, name: str) -> int | None:
        found: int | None = self._typed(name, (int,), "an integer")
        return found

    def number(self, name: str) -> float | None:
        found: float | None = self._typed(name, (int, float), "a number")
        return found

    def flag(self, name: str) -> bool | None:
        found: bool | None = self._typed(name, (bool,), "true or false")
        return found

    def array(self, name: str) -> list[Json]:
        """[] where it was not said."""
        return self._typed(name, (list,), "an array") or []

    def texts(self, name: str) -> list[str]:
        found = self.array(name)
        for place, item in enumerate(found):
            if type(item) is not str:
                raise self.wrong(f"{self.path(name)}[{place}]", "a string")
        return found

    def mapping(self, name: str) -> dict[str, Json] | None:
        """An object as it came."""
        found: dict[str, Json] | None = self._typed(name, (dict,), "an object")
        return found

    def inner(self, name: str) -> Members | None:
        value = self.take(name)
        return None if value is None else Members(value, self.path(name), self.wrong)

    def needed(self, name: str) -> Members:
        return Members(self.take(name), self.path(name), self.wrong)

    def each(self, name: str) -> list[Members]:
        """The objects of an array."""
        return [Members(item, f"{self.path(name)}[{place}]", self.wrong) for place, item in enumerate(self.array(name))]

    def left(self) -> dict[str, Json]:
        """What has no reader and says something, by its path."""
        return {self.path(name): value for name, value in self._left.items() if value is not None}
