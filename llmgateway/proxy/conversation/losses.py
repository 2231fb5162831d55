"""What a target can't express. It is collected while a request is written for the target, and judged once at the end.

Two classes. *Fields* change what is asked: they are refused, unless the caller allows the loss. *Hints* change how an
answer is made or billed (a cache marker, a user's name for statistics, earlier reasoning that the target's vendor can't
take back): the call goes on without them. Either way the caller is told, in `x-customhouse-dropped`.
"""

from __future__ import annotations

import re

from dataplane.errors import BadRequest

MOST_TOLD = 32
"""Names that fit the header; what is more is told as a number."""

LONGEST_NAME = 120
"""Characters of a name that are told. Names are the caller's own text, which no header and no log has to hold whole."""

_UNTELLABLE = re.compile(r"[^ -~]")


class Losses:
    """`target` is told to the caller: a dialect, with the provider where the provider is the reason."""

    __slots__ = ("_fields", "_hints", "target")

    def __init__(self, target: str) -> None:
        self.target = target
        self._fields: dict[str, str] = {}
        self._hints: dict[str, str] = {}

    def drop(self, field: str, why: str = "") -> None:
        """`field` as the caller wrote it: `top_k`, `messages[2].content[0]`. `why` is a clause without a full stop."""
        self._fields.setdefault(field, why)

    def hint(self, field: str) -> None:
        self._hints.setdefault(field, "")

    @property
    def fields(self) -> list[str]:
        return list(self._fields)

    @property
    def hints(self) -> list[str]:
        return [name for name in self._hints if name not in self._fields]

    def check(self, *, allowed: bool) -> None:
        """Raises BadRequest naming the first field and the target, unless there is none or losing them is allowed."""
        if not self._fields or allowed:
            return
        field, why = next(iter(self._fields.items()))
        field = _told(field)
        others = f" (and {len(self._fields) - 1} more)" if len(self._fields) > 1 else ""
        reason = f": {why}" if why else ""
        text = (
            f"The field {field}{others} can not be expressed for {self.target}{reason}. Leave it out, or send "
            "'x-customhouse-lossy: allow' to go on without what can't be expressed."
        )
        raise BadRequest(text, param=field, code="not_expressible")

    def header(self) -> str:
        """What was dropped, for x-customhouse-dropped; "" when nothing was."""
        names = [*self.fields, *self.hints]
        if len(names) > MOST_TOLD:
            names = [*names[:MOST_TOLD], f"and {len(names) - MOST_TOLD} more"]
        return ", ".join(map(_told, names))


def _told(name: str) -> str:
    """Without what would end a header's line, or be no ASCII."""
    cut = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return _UNTELLABLE.sub("?", cut)
