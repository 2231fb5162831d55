"""What stored things belong to whom: which provider account made an id, for which owner.

A provider knows only the house's account, so whose a stored response, file or batch is, is known here or nowhere. An id is
in memory at once and in a *shelf* soon after: a file of its own where there is one process, Redis where there are more.
Who holds an id first keeps it: an id that a provider gives out twice never passes from one owner to another.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from dataplane.errors import Unavailable

log = logging.getLogger("customhouse.pins")

MOST = 100_000
"""Pins held in memory, the least recently used leave first."""

KEPT_SECONDS = 40 * 86_400
"""After its last use: longer than the thirty days that providers keep what was not asked for."""

TOUCH_AFTER = 86_400.0
"""Seconds of age after which a use is written down, so that what is used does not run out."""

ID = re.compile(r"[A-Za-z0-9_.:=-]{1,200}")
"""What an id may look like. It is put into addresses and into keys of Redis."""


class Pin(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`provider` is the provider record's id; `owner` is `team:<id>`, or the principal's own reference where there is no team.
    `kind` says what it is (response, item, conversation, file, vector_store, batch, …), `note` is JSON that belongs to who made
    the kind, `open` that something is still to be done about it, `at` Unix time of its last use."""

    provider: int
    provider_name: str
    owner: str
    kind: str
    at: float = 0.0
    note: str = ""
    open: bool = False


class Shelf(Protocol):
    """Where pins outlive the process. `put` and `drop` never wait; `fresh` says that the id was not known before: then who
    has it on the shelf already keeps it, and `correct` is called. The others are asked of a shared one only; they raise
    Unavailable when it can't be reached."""

    correct: Callable[[str, Pin], None]
    shared: bool
    """Whether other workers write to it: only then may it know better than memory."""

    def put(self, ident: str, pin: Pin, *, fresh: bool) -> None: ...

    def drop(self, ident: str) -> None: ...

    async def get(self, ids: Sequence[str]) -> list[Pin | None]: ...

    async def open_ids(self) -> list[str]: ...

    async def claim(self, name: str, seconds: int) -> bool: ...

    async def release(self, name: str) -> None: ...

    async def start(self) -> Iterable[tuple[str, Pin]]:
        """What is to be in memory from the start, oldest first."""

    async def close(self) -> None: ...


class Pins:
    """Conforms to `kit.Background`. Without a shelf it forgets with its process."""

    def __init__(self, shelf: Shelf | None = None, *, most: int = MOST, clock: Callable[[], float] = time.time) -> None:
        self._shelf = shelf
        self._most = most
        self._clock = clock
        self._held: OrderedDict[str, Pin] = OrderedDict()
        self._open: dict[str, Pin] = {}
        self._claims: dict[str, float] = {}
        if shelf is not None:
            shelf.correct = self._hold

    async def start(self) -> None:
        if self._shelf is not None:
            for ident, pin in await self._shelf.start():
                if ident not in self._held:
                    self._hold(ident, pin)

    async def close(self) -> None:
        if self._shelf is not None:
            await self._shelf.close()

    def remember(self, ident: str, pin: Pin) -> None:
        """Never waits. An id that another owner or another provider has is left with them."""
        if not ID.fullmatch(ident):
            log.warning("an id that no address can hold is not remembered: %.100r", ident)
            return
        held = self._held.get(ident) or self._open.get(ident)
        if held is not None and (held.owner, held.provider) != (pin.owner, pin.provider):
            log.warning("%s was given out a second time by %s; it stays with who had it first", ident, pin.provider_name)
            return
        pin = msgspec.structs.replace(pin, at=self._clock())
        self._hold(ident, pin)
        if self._shelf is not None:
            self._shelf.put(ident, pin, fresh=held is None)

    def forget(self, ident: str) -> None:
        self._held.pop(ident, None)
        self._open.pop(ident, None)
        if self._shelf is not None:
            self._shelf.drop(ident)

    async def find(self, ident: str, *, fresh: bool = False) -> Pin | None:
        """`fresh` looks past memory, where what another worker changed may be old. Raises Unavailable when the id is not in
        memory and the shelf can't be asked: it may exist, so nobody may be told that it does not."""
        return (await self.find_all([ident], fresh=fresh))[0]

    async def find_all(self, ids: Sequence[str], *, fresh: bool = False) -> list[Pin | None]:
        """In one step, in the order asked."""
        found: dict[str, Pin] = {}
        missing = []
        for ident in ids:
            pin = None if fresh and self._shelf is not None and self._shelf.shared else self._held.get(ident) or self._open.get(ident)
            if pin is not None:
                found[ident] = pin
            elif ID.fullmatch(ident):
                missing.append(ident)
        if missing and self._shelf is not None and self._shelf.shared:
            told = await self._shelf.get(missing)
            found |= {ident: pin for ident, pin in zip(missing, told, strict=True) if pin is not None}
        for ident, pin in found.items():
            self._used(ident, pin)
        return [found.get(ident) for ident in ids]

    async def open(self) -> list[tuple[str, Pin]]:
        """All that something is still to be done about, whoever remembered it; those that can't be looked up are left out."""
        shelf = self._shelf
        if shelf is None or not shelf.shared:
            return list(self._open.items())
        ids = await shelf.open_ids()
        pins = await self.find_all(ids, fresh=True)
        for ident, pin in zip(ids, pins, strict=True):
            if pin is None:
                shelf.drop(ident)  # it ran out before anything was done about it
        return [(ident, pin) for ident, pin in zip(ids, pins, strict=True) if pin is not None and pin.open]

    async def claim(self, name: str, seconds: int) -> bool:
        """Whether what `name` stands for is this worker's to do for so long. Raises Unavailable."""
        if self._shelf is not None and self._shelf.shared:
            return await self._shelf.claim(name, seconds)
        now = time.monotonic()
        self._claims = {held: until for held, until in self._claims.items() if until > now}
        if name in self._claims:
            return False
        self._claims[name] = now + seconds
        return True

    async def release(self, name: str) -> None:
        """It was not done after all: the next who asks may try. Where that can't be said, the claim runs out by itself."""
        self._claims.pop(name, None)
        if self._shelf is not None and self._shelf.shared:
            with contextlib.suppress(Unavailable):
                await self._shelf.release(name)

    def _used(self, ident: str, pin: Pin) -> None:
        if self._clock() - pin.at > TOUCH_AFTER:
            pin = msgspec.structs.replace(pin, at=self._clock())
            if self._shelf is not None:
                self._shelf.put(ident, pin, fresh=False)
        self._hold(ident, pin)

    def _hold(self, ident: str, pin: Pin) -> None:
        if pin.open:
            self._open[ident] = pin  # never leaves for want of room: nobody else may know of it
        else:
            self._open.pop(ident, None)
        self._held[ident] = pin
        self._held.move_to_end(ident)
        while len(self._held) > self._most:
            self._held.popitem(last=False)
