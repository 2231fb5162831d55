"""Answers that may be given again, as their callers got them, and the room of one worker to keep them in.

A room is bounded in bytes and in number: what was used least recently leaves first. What it holds is gone with its process.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from dataplane.asgi import Headers
from dataplane.store import Snapshot

MOST_BYTES = 64 * 1024 * 1024
MOST = 20_000
OVERHEAD = 512
"""Bytes that an answer takes beside its body, about."""

EVENT_STREAM = b"text/event-stream"
_OWN = b"x-customhouse-"


class Kept(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A whole answer. `headers` are those that belong to it: its content type, and what the house told about its making.
    `provider` and `deployment` made it; `usage` is what that took, None where nobody said."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    provider: str = ""
    deployment: str = ""
    usage: dict[str, int] | None = None

    @property
    def size(self) -> int:
        return len(self.body) + OVERHEAD

    @property
    def streams(self) -> bool:
        return any(name == b"content-type" and value.startswith(EVENT_STREAM) for name, value in self.headers)


def lasting(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Of an answer's headers those that are as true the next time."""
    return tuple((name, value) for name, value in headers if name == b"content-type" or name.startswith(_OWN))


class Answers:
    """Kept answers by what was asked. `clock` is monotonic, in seconds. Belongs to one event loop."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.bytes = 0
        self._most_bytes = most_bytes
        self._most = most
        self._held: OrderedDict[bytes, tuple[Kept, float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: bytes) -> tuple[Kept, float] | None:
        """The answer and its age in seconds; None when there is none, or when it is too old."""
        found = self._held.get(key)
        if found is None:
            return None
        kept, at, until = found
        now = self.clock()
        if now >= until:
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return kept, now - at

    def put(self, key: bytes, kept: Kept, *, seconds: float) -> None:
        """Keeps it for so long at the most, in the place of what was there. One that would fill the room by itself is not kept."""
        self._drop(key)
        if kept.size > self._most_bytes or seconds <= 0:
            return
        now = self.clock()
        self._held[key] = (kept, now, now + seconds)
        self.bytes += kept.size
        while self.bytes > self._most_bytes or len(self._held) > self._most:
            self._drop(next(iter(self._held)))

    def _drop(self, key: bytes) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self.bytes -= found[0].size


def policy_version(snapshot: Snapshot) -> str:
    """Names the policies under which an answer was made: one that was made under others is never given again. No policies are
    published yet, so all snapshots agree; keys, grants and limits are not among them, since every call is held to those anew."""
    return "policies:none"
