"""Events of one candidate, part after part, for dialects that tell one part at a time."""

from __future__ import annotations

from llmgateway.proxy.conversation.events import Cited, Close, Delta, Event, Open, Signed, Sound


class OneAtATime:
    """Holds back what belongs to a part that is not the first open one. `feed` gives the events that may be told now; other
    events than those of parts are given at once, those that end a candidate behind everything that was held.

    Parts of a candidate other than the first are left out: dialects that need this have one answer to a call."""

    __slots__ = ("_held", "_now", "_order")

    def __init__(self) -> None:
        self._order: list[int] = []
        self._held: dict[int, list[Event]] = {}
        self._now: int | None = None

    def feed(self, event: Event) -> list[Event]:
        if not isinstance(event, Open | Delta | Sound | Signed | Cited | Close):
            return [event]
        if event.candidate:
            return []
        if isinstance(event, Open):
            self._order.append(event.index)
        if self._now is None:
            self._now = self._order[0]
        if event.index != self._now:
            self._held.setdefault(event.index, []).append(event)
            return []
        return [event, *self._advance()] if isinstance(event, Close) else [event]

    def _advance(self) -> list[Event]:
        """The part has ended: what was held of the next ones may be told, up to the first that is still open."""
        told: list[Event] = []
        while self._order:
            self._order.pop(0)
            self._now = self._order[0] if self._order else None
            if self._now is None:
                break
            events = self._held.pop(self._now, [])
            told += events
            if not events or not isinstance(events[-1], Close):
                break
        return told

    def flush(self) -> list[Event]:
        """What is held, when the candidate ends though some of its parts did not: each is closed in its turn."""
        told: list[Event] = []
        while self._order:
            told += [Close(0, self._order[0]), *self._advance()]
        return told
