"""Puts back what a request of this dialect brought without a slot, where it stood; for every other request it is lost."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.names import is_own

_SAID_IN_HEADERS = frozenset(("betas",))
"""Members that an SDK takes for headers; no body has them."""


class Own:
    """Members by where they stood: `messages[1].content[0]` → {`caller`: …}, "" → {`container`: …}."""

    __slots__ = ("_left", "_losses", "is_own")

    def __init__(self, request: Request, losses: Losses) -> None:
        self.is_own = is_own(request)
        self._losses = losses
        self._left: dict[str, dict[str, tuple[str, Json, bool]]] = {}
        for entries, hinted in ((request.extra, False), (request.hints, True)):
            for path, value in entries.items():
                parent, name = _split(path)
                self._left.setdefault(parent, {})[name] = (path, value, hinted)

    def into(self, target: dict[str, Json], at: str) -> None:
        """Gives `target`, which is written for what stood at `at`, what else stood there."""
        if not self.is_own:
            return
        for name, (path, value, hinted) in self._left.pop(at, {}).items():
            if name in _SAID_IN_HEADERS:
                self._lose(path, hinted)
                continue
            *ways, last = name.split(".")
            inner = target
            for way in ways:
                inner = inner.setdefault(way, {})
            inner[last] = value

    def lose_rest(self) -> None:
        for entries in self._left.values():
            for path, _, hinted in entries.values():
                self._lose(path, hinted)

    def _lose(self, path: str, hinted: bool) -> None:
        if hinted:
            self._losses.hint(path)
        else:
            self._losses.drop(path, "it has no place there")


def _split(path: str) -> tuple[str, str]:
    head, bracket, tail = path.rpartition("].")
    return (f"{head}]", tail) if bracket else ("", path)
