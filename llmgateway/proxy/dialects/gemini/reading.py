"""Reads the members of a JSON object one by one, in either spelling, and remembers what nobody read.

Google takes each name in lowerCamelCase and in snake_case, a single object where a list is meant, and null for "not said"
(protobuf's JSON mapping, as the API applies it). Paths are in the caller's own spelling.
"""

from __future__ import annotations

import re
from functools import lru_cache

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Json

_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")
_UNDER = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$@-]*")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


@lru_cache(maxsize=512)
def snake(name: str) -> str:
    return _UPPER.sub(lambda match: "_" + match[1].lower(), name)


def camel(name: str) -> str:
    return _UNDER.sub(lambda match: match[1].upper(), name)


def join(path: str, name: str) -> str:
    """A name that could be read as a path itself is written in brackets."""
    if not _NAME.fullmatch(name):
        return f"{path}[{name!r}]"
    return f"{path}.{name}" if path else name


def wrong(path: str, what: str) -> BadRequest:
    named = f"The field {path}" if path else "The body"
    return BadRequest(f"{named} must be {what}.", param=path or None, code="invalid_type")


def whole(value: Json) -> int | None:
    """An integer as protobuf's JSON reads one: also `40.0` and `"40"`. None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


class Members:
    """One object of a body. Raises BadRequest, with the path, for what is of another type than it is read as."""

    __slots__ = ("_given", "_left", "path")

    def __init__(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong(path, "an object")
        self._given = value
        self._left = {name: member for name, member in value.items() if member is not None}
        self.path = path

    def where(self, name: str) -> str:
        """The member's path as the caller spelled it."""
        spelled = snake(name) if name not in self._given and snake(name) in self._given else name
        return join(self.path, spelled)

    def has(self, name: str) -> bool:
        return name in self._left or snake(name) in self._left

    def take(self, name: str) -> Json:
        """None when it was not said. When it was said in both spellings, the second one is left."""
        return self._left.pop(name if name in self._left else snake(name), None)

    def text(self, name: str) -> str | None:
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise wrong(self.where(name), "a string")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(self.where(name), "true or false")
        return value

    def integer(self, name: str) -> int | None:
        value = self.take(name)
        number = whole(value)
        if value is not None and number is None:
            raise wrong(self.where(name), "an integer")
        return number

    def number(self, name: str) -> float | None:
        value = self.take(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise wrong(self.where(name), "a number")
        return value

    def mapping(self, name: str) -> dict[str, Json] | None:
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            raise wrong(self.where(name), "an object")
        return value

    def inner(self, name: str) -> Members | None:
        path, value = self.where(name), self.take(name)
        return None if value is None else Members(value, path)

    def many(self, name: str) -> list[Members]:
        """The objects of a list, or the one object that stands in its place."""
        path, value = self.where(name), self.take(name)
        if value is None:
            return []
        if isinstance(value, dict):
            return [Members(value, path)]
        if not isinstance(value, list):
            raise wrong(path, "an array of objects")
        return [Members(item, f"{path}[{place}]") for place, item in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        path, value = self.where(name), self.take(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong(path, "an array of strings")
        return value

    @property
    def left(self) -> dict[str, Json]:
        """What nobody has read yet."""
        return self._left

    def leave(self, rest: dict[str, Json]) -> None:
        """Puts what nobody read where things without a slot are kept."""
        for name, value in self._left.items():
            rest[join(self.path, name)] = value
        self._left = {}
