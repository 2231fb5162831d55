"""What a request in this dialect has beyond the slots, put back where it stood."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.openai_responses.names import is_chat, is_own

SHARED_HINTS = ("metadata", "store", "safety_identifier", "prompt_cache_retention")
"""Hints of an OpenAI chat that mean the same here."""

_ELEMENT = re.compile(r"(.*)\[(\d+)\]")


class Own:
    """`own` is whether the request came in this dialect; nothing is put back into one of another."""

    __slots__ = ("_by_parent", "own")

    def __init__(self, request: Request) -> None:
        self.own = is_own(request)
        self._by_parent: dict[str, dict[str, Json]] = {}
        if self.own:
            held = {**request.hints, **request.extra}
        elif is_chat(request):
            held = {name: request.hints[name] for name in SHARED_HINTS if name in request.hints}
        else:
            held = {}
        for path, value in held.items():
            parent, _, name = path.rpartition(".")
            self._by_parent.setdefault(parent, {})[name] = value

    def into(self, value: dict[str, Json], path: str) -> dict[str, Json]:
        """Adds the members that the object at this path had. What stood nowhere in a body has no path."""
        return self._add(value, path) if path else value

    def into_body(self, body: dict[str, Json]) -> None:
        self._add(body, "")

    def _add(self, value: dict[str, Json], path: str) -> dict[str, Json]:
        held = self._by_parent.get(path)
        if held:
            for name in [name for name in held if not name.endswith("]")]:
                value[name] = held.pop(name)
        return value

    def take(self, path: str, name: str) -> Json:
        return self._by_parent.get(path, {}).pop(name, None)

    def elements(self, values: list[Json], path: str, name: str) -> list[Json]:
        """Adds the elements that the array had, in their places."""
        held = self._by_parent.get(path, {})
        places = {int(match[2]): key for key in held if (match := _ELEMENT.fullmatch(key)) and match[1] == name}
        for place in sorted(places):
            values.insert(place, held.pop(places[place]))
        return values

    def tell(self, request: Request, losses: Losses) -> None:
        """What was not put back is lost."""
        left = {f"{parent}.{name}" if parent else name for parent, names in self._by_parent.items() for name in names}
        put_back = self.own or is_chat(request)
        for path in request.extra:
            if not self.own or path in left:
                losses.drop(path)
        for path in request.hints:
            if not put_back or path in left or (not self.own and path not in SHARED_HINTS):
                losses.hint(path)
