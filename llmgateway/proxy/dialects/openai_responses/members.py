"""Reads the members of one JSON object, one by one, and knows which of them nobody asked for.

A member that is null was not said. Raises WrongType where the meaning depends on a type.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json


class WrongType(Exception):
    """`path` is where it stands in the whole body, "" for the body itself."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path or 'The body'} must be {expected}.")
        self.path = path
        self.expected = expected


class Found:
    """What has no slot, by its path in the body: `hints` change how an answer is made or told, `extra` what is asked.
    `spaces` are the names of tools' namespaces."""

    __slots__ = ("extra", "hints", "spaces")

    def __init__(self) -> None:
        self.spaces: dict[str, str] = {}
        self.hints: dict[str, Json] = {}
        self.extra: dict[str, Json] = {}


class Members:
    __slots__ = ("_left", "path")

    def __init__(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise WrongType(path, "an object")
        self.path = path
        self._left = dict(value)

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Json:
        return self._left.pop(name, None)

    def maybe_text(self, name: str) -> str | None:
        value = self.take(name)
        if value is None or isinstance(value, str):
            return value
        raise WrongType(self.at(name), "a string")

    def text(self, name: str) -> str:
        return self.maybe_text(name) or ""

    def needed(self, name: str) -> str:
        """A string that must be there; it may be empty."""
        value = self.maybe_text(name)
        if value is None:
            raise WrongType(self.at(name), "a string")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return value
        raise WrongType(self.at(name), "true or false")

    def whole(self, name: str) -> int | None:
        value = self.take(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise WrongType(self.at(name), "an integer")

    def number(self, name: str) -> float | None:
        value = self.take(name)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise WrongType(self.at(name), "a number")

    def array(self, name: str) -> list[Json]:
        value = self.take(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise WrongType(self.at(name), "an array")

    def inner(self, name: str) -> Members | None:
        value = self.take(name)
        return None if value is None else Members(value, self.at(name))

    def skip(self, name: str, *says_nothing: Json) -> None:
        """Passes over a member that holds one of the values that say no more than its absence."""
        if name in self._left and self._left[name] in says_nothing:
            del self._left[name]

    def hint(self, found: Found, *names: str) -> None:
        """These members, where they are said, change nothing about what is asked."""
        for name in names:
            value = self.take(name)
            if value is not None:
                found.hints[self.at(name)] = value

    def rest(self, found: Found) -> None:
        """All that was not taken has no slot."""
        for name, value in self._left.items():
            if value is not None:
                found.extra[self.at(name)] = value
        self._left = {}
